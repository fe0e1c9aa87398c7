package results

// Measure is a number of each row that tables and pictures can show.
type Measure struct {
	Name   string
	Title  string
	Points bool // 0 to 1 in a row, shown as 0 to 100
	Less   bool // smaller is better
	Of     func(*Row) *float64
}

// Measures lists all measures. The first is the score.
func Measures() []Measure {
	return []Measure{
		{Name: "score", Title: "score", Points: true, Of: func(r *Row) *float64 { return r.Score }},
		{Name: "recalled", Title: "recalled", Points: true, Of: func(r *Row) *float64 { return r.Recalled }},
		{Name: "lm_eval_f1", Title: "F1 by lm-evaluation-harness", Points: true, Of: func(r *Row) *float64 { return r.LMEvalF1 }},
		{Name: "loose", Title: "score, read loosely", Points: true, Of: func(r *Row) *float64 { return r.Loose }},
		{Name: "top1_agreement", Title: "top-1 agreement", Points: true, Of: func(r *Row) *float64 { return r.Top1Agreement }},
		{Name: "kl_mean", Title: "KL divergence (nats)", Less: true, Of: func(r *Row) *float64 { return r.KLMean }},
		{Name: "kl_lower_mean", Title: "KL divergence, lower bound (nats)", Less: true, Of: func(r *Row) *float64 { return r.KLLowerMean }},
	}
}
