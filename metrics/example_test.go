package metrics_test

import (
	"fmt"

	"github.com/snapbench/snapbench/metrics"
)

func Example() {
	recalled, err := metrics.Open("recalled")
	if err != nil {
		fmt.Println(err)
		return
	}
	score, err := recalled.Score(" 502649.", metrics.Reference{Answers: []string{"5026494"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s version %d: %.2f\n", recalled.Name, recalled.Version, score)

	_, err = metrics.Open("bleu")
	fmt.Println(err)
	// Output:
	// recalled version 1: 0.86
	// unknown metric "bleu": have classification, code_sim, code_sim_difflib, count, exact, qa_f1, qa_f1_zh, recalled, retrieval, retrieval_zh, rouge1_f, rouge1_r, rouge_l, rouge_zh, ruler_all, ruler_part
}
