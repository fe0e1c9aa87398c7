package metrics

import "github.com/snapbench/snapbench/inputs/lookup"

// LongBenchSet says how LongBench v1 grades one of its sets.
type LongBenchSet struct {
	Name   string // as in file names, without the _e of LongBench-E
	Metric string // a registered scorer
	// FirstLine says that only the prediction's first line is graded.
	FirstLine bool
	// Category is one of LongBench's six task categories.
	Category string
	// Chinese marks the five sets in Chinese. The averages over the English
	// and code sets leave them out.
	Chinese bool
	// E marks the sets that LongBench-E has too.
	E bool
}

// The six categories of LongBench, in the order of its tables.
const (
	SingleDocQA    = "single-document QA"
	MultiDocQA     = "multi-document QA"
	Summarization  = "summarization"
	FewShot        = "few-shot learning"
	SyntheticTasks = "synthetic"
	Code           = "code"
)

// LongBench holds the 21 sets of LongBench v1 in the order of its tables, each
// set in Chinese at the end of its category.
var LongBench = []LongBenchSet{
	{Name: "narrativeqa", Metric: "qa_f1", Category: SingleDocQA},
	{Name: "qasper", Metric: "qa_f1", Category: SingleDocQA, E: true},
	{Name: "multifieldqa_en", Metric: "qa_f1", Category: SingleDocQA, E: true},
	{Name: "multifieldqa_zh", Metric: "qa_f1_zh", Category: SingleDocQA, Chinese: true},
	{Name: "hotpotqa", Metric: "qa_f1", Category: MultiDocQA, E: true},
	{Name: "2wikimqa", Metric: "qa_f1", Category: MultiDocQA, E: true},
	{Name: "musique", Metric: "qa_f1", Category: MultiDocQA},
	{Name: "dureader", Metric: "rouge_zh", Category: MultiDocQA, Chinese: true},
	{Name: "gov_report", Metric: "rouge_l", Category: Summarization, E: true},
	{Name: "qmsum", Metric: "rouge_l", Category: Summarization},
	{Name: "multi_news", Metric: "rouge_l", Category: Summarization, E: true},
	{Name: "vcsum", Metric: "rouge_zh", Category: Summarization, Chinese: true},
	{Name: "trec", Metric: "classification", FirstLine: true, Category: FewShot, E: true},
	{Name: "triviaqa", Metric: "qa_f1", FirstLine: true, Category: FewShot, E: true},
	{Name: "samsum", Metric: "rouge_l", FirstLine: true, Category: FewShot, E: true},
	{Name: "lsht", Metric: "classification", FirstLine: true, Category: FewShot, Chinese: true},
	{Name: "passage_count", Metric: "count", Category: SyntheticTasks, E: true},
	{Name: "passage_retrieval_en", Metric: "retrieval", Category: SyntheticTasks, E: true},
	{Name: "passage_retrieval_zh", Metric: "retrieval_zh", Category: SyntheticTasks, Chinese: true},
	{Name: "lcc", Metric: "code_sim", Category: Code, E: true},
	{Name: "repobench-p", Metric: "code_sim", Category: Code, E: true},
}

// LongBenchByName finds a set of [LongBench].
func LongBenchByName(name string) (set LongBenchSet, ok bool) {
	for _, s := range LongBench {
		if s.Name == name {
			return s, true
		}
	}
	return LongBenchSet{}, false
}

// Text is the part of the prediction that the set grades.
func (s LongBenchSet) Text(prediction string) string {
	if s.FirstLine {
		return FirstLine(prediction)
	}
	return prediction
}

// CodeSims lists the definitions of similarity for the two code sets, each with
// its metric. The first is the default.
var CodeSims = []struct{ Name, Metric string }{
	{"levenshtein", "code_sim"},
	{"difflib", "code_sim_difflib"},
}

// Scorers returns the scorers of the set: the primary one and, for the code sets,
// those of the other definitions of similarity, because published tables use
// either. codeSim is a name of [CodeSims], or "" for the default.
func (s LongBenchSet) Scorers(codeSim string) (primary Scorer, others []Scorer, err error) {
	if codeSim == "" {
		codeSim = CodeSims[0].Name
	}
	known := false
	var names []string
	for _, c := range CodeSims {
		names = append(names, c.Name)
		known = known || c.Name == codeSim
	}
	if !known {
		return Scorer{}, nil, lookup.Unknown("code similarity", codeSim, names...)
	}
	if s.Metric != CodeSims[0].Metric {
		primary, err = Open(s.Metric)
		return primary, nil, err
	}
	for _, c := range CodeSims {
		scorer, err := Open(c.Metric)
		if err != nil {
			return Scorer{}, nil, err
		}
		if c.Name == codeSim {
			primary = scorer
		} else {
			others = append(others, scorer)
		}
	}
	return primary, others, nil
}
