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
	// Output:
	// recalled version 1: 0.86
}
