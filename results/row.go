package results

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Schema is the version of Row's columns. It rises when a column is added, is renamed or changes its meaning. Read
// understands this version and every earlier one.
//
// Changes: 1, the first (schema1.go). 2: params in place of window, kernel, pooling and gqa; share, host and
// full_cache_bytes are new, and what servers tell: ttft_seconds, token_seconds_p50 and _p95, retries,
// repeat_equal, repeat_score, kl_lower_mean and _p99, answer_logprob_change; and fidelity by part of the answer, kl_0_7 to
// top1_128, needle_text, lm_eval_f1, held_mean, rope, what instructions and leakage tell, loose to leaked_both, and what an audit
// of the evidence tells, evidence to marks_gone_layers, and fixed_cache_bytes, and of formats of caches, cache, cache_token_bytes and cache_peak_bytes, which files of before have not.
const Schema = 2

// Row is one sample under one variant: who was asked, what came back, what the cache held, and what it cost.
//
// It is the only list of columns in the project: the parquet file, the journal, the CSV and JSON exports and the
// documentation (Columns) are all derived from its tags. Pointers are nullable columns, because zero is a possible
// value of each; a nullable string is null if it is empty. Units are seconds, bytes and tokens. The desc tag is the
// column's documentation.
type Row struct {
	Schema int    `parquet:"schema" json:"schema" desc:"version of these columns"`
	ID     string `parquet:"id" json:"id" desc:"sha256 over everything that could change the prediction; a finished id is never run again"`
	Run    string `parquet:"run" json:"run" desc:"name of the run, from what was asked"`

	Model        string `parquet:"model" json:"model" desc:"model as named by the user"`
	Revision     string `parquet:"revision,optional" json:"revision,omitempty" desc:"the model's commit, or the digest of its files; of a server its engine and version"`
	Rope         string `parquet:"rope,optional" json:"rope,omitempty" desc:"scaling of the rotation that --rope set in place of the model's own; null where it set none"`
	Task         string `parquet:"task" json:"task" desc:"task or data set"`
	TaskVersion  int    `parquet:"task_version" json:"task_version" desc:"version of the task's prompts and rules"`
	Sample       string `parquet:"sample" json:"sample" desc:"the sample's id within its task"`
	Protocol     string `parquet:"protocol,optional" json:"protocol,omitempty" desc:"rules for prompt, truncation and stopping, by name"`
	PromptSHA256 string `parquet:"prompt_sha256,optional" json:"prompt_sha256,omitempty" desc:"sha256 of the final prompt, template included"`

	Variant  string            `parquet:"variant" json:"variant" desc:"policy with all parameters, and the cache's format behind a plus, as text"`
	Policy   string            `parquet:"policy" json:"policy" desc:"name of the policy, and the cache's format behind a plus"`
	Budget   string            `parquet:"budget" json:"budget" desc:"budget as asked: full, a number of tokens, or a share of the prompt such as 25%"`
	Params   map[string]string `parquet:"params,optional" json:"params,omitempty" desc:"the policy's parameters, name to canonical text; those of an inner policy begin with its name and a dot; null where there are none"`
	Cache    string            `parquet:"cache,optional" json:"cache,omitempty" desc:"format of the cache: q8_0, fp8_s1 and others (docs/caches.md); null for the number format of the device"`
	Capacity *int              `parquet:"capacity,optional" json:"capacity,omitempty" desc:"budget in tokens as applied to this prompt; null for the full cache, and where layers have budgets that differ"`
	Share    *float64          `parquet:"share,optional" json:"share,omitempty" desc:"capacity divided by the prompt's tokens; null where capacity is, or where unknown"`
	Device   string            `parquet:"device" json:"device" desc:"what computed it"`
	DType    string            `parquet:"dtype" json:"dtype" desc:"number format of weights and cache"`
	Host     *bool             `parquet:"host,optional" json:"host,omitempty" desc:"true where the policy chose in plain Go over copies, because the device has no kernel for it; null where unknown"`

	PromptTokens *int   `parquet:"prompt_tokens,optional" json:"prompt_tokens,omitempty" desc:"tokens of the prompt; null where unknown"`
	NewTokens    *int   `parquet:"new_tokens,optional" json:"new_tokens,omitempty" desc:"tokens generated, a server's own count where one answered; null where unknown"`
	PromptTail   string `parquet:"prompt_tail,optional" json:"prompt_tail,omitempty" desc:"the last characters of the prompt, for reading"`
	NeedleText   string `parquet:"needle_text,optional" json:"needle_text,omitempty" desc:"needle tasks: the prompt around the needle, with ⟦ where it begins and ⟧ where it ends"`
	Prediction   string `parquet:"prediction" json:"prediction" desc:"the generated text"`

	Metric        string   `parquet:"metric" json:"metric" desc:"name of the metric; none where the sample has no answers"`
	MetricVersion int      `parquet:"metric_version" json:"metric_version" desc:"version of the metric"`
	Score         *float64 `parquet:"score,optional" json:"score,omitempty" desc:"0 to 1; null where error is set, and where metric is none"`
	Error         string   `parquet:"error,optional" json:"error,omitempty" desc:"why there is no score"`
	Note          string   `parquet:"note,optional" json:"note,omitempty" desc:"what a reader should know, such as a budget larger than the prompt"`

	KeptMin        *int     `parquet:"kept_min,optional" json:"kept_min,omitempty" desc:"fewest positions kept over layers and KV heads"`
	KeptMean       *float64 `parquet:"kept_mean,optional" json:"kept_mean,omitempty" desc:"mean positions kept over layers and KV heads"`
	KeptMax        *int     `parquet:"kept_max,optional" json:"kept_max,omitempty" desc:"most positions kept over layers and KV heads"`
	HeldMean       *float64 `parquet:"held_mean,optional" json:"held_mean,omitempty" desc:"mean positions held when the answer begins: kept_mean, and what was read behind the compressed prompt, such as a question"`
	Audit          string   `parquet:"audit,optional" json:"audit,omitempty" desc:"null where the cache is what the budget says, else the difference"`
	CacheBytes     *int64   `parquet:"cache_bytes,optional" json:"cache_bytes,omitempty" desc:"bytes of the compressed prompt's cache, codes and scales as stored"`
	FullCacheBytes *int64   `parquet:"full_cache_bytes,optional" json:"full_cache_bytes,omitempty" desc:"bytes of the full cache of the same prompt, one copy per KV head, in 16 bits where the row's cache has a format; null where unknown"`
	FixedBytes     *int64   `parquet:"fixed_cache_bytes,optional" json:"fixed_cache_bytes,omitempty" desc:"of both, bytes of layers with a sliding window or linear attention beside layers of full attention, which no policy changes; null where there are none"`
	TokenBytes     *float64 `parquet:"cache_token_bytes,optional" json:"cache_token_bytes,omitempty" desc:"bytes that a new token adds to the cache, over all layers and heads; in a format those of an encoded one, in the mean"`
	CachePeakBytes *int64   `parquet:"cache_peak_bytes,optional" json:"cache_peak_bytes,omitempty" desc:"largest state of the row's cache while the answer was decoded, the new tokens included"`
	PeakBytes      *int64   `parquet:"peak_bytes,optional" json:"peak_bytes,omitempty" desc:"peak bytes of memory while the sample ran"`
	PrefillSeconds *float64 `parquet:"prefill_seconds,optional" json:"prefill_seconds,omitempty" desc:"time of the prompt's forward pass, shared by all variants of the sample, and by questions behind one context"`
	DecodeSeconds  *float64 `parquet:"decode_seconds,optional" json:"decode_seconds,omitempty" desc:"time of decoding, shared by what was decoded with it"`

	TTFTSeconds     *float64 `parquet:"ttft_seconds,optional" json:"ttft_seconds,omitempty" desc:"a server's time from the request to the first piece of its answer, waiting and prefill included"`
	TokenSecondsP50 *float64 `parquet:"token_seconds_p50,optional" json:"token_seconds_p50,omitempty" desc:"median time between two tokens of a server's answer"`
	TokenSecondsP95 *float64 `parquet:"token_seconds_p95,optional" json:"token_seconds_p95,omitempty" desc:"95th percentile of the same"`
	Retries         *int     `parquet:"retries,optional" json:"retries,omitempty" desc:"how often a server was asked again after a failure; null where none was asked"`
	RepeatEqual     *bool    `parquet:"repeat_equal,optional" json:"repeat_equal,omitempty" desc:"whether a server's second answer to the same request is the same text; null where it was asked once"`
	RepeatScore     *float64 `parquet:"repeat_score,optional" json:"repeat_score,omitempty" desc:"the second answer's score, by the row's metric"`

	Length      *int     `parquet:"length,optional" json:"length,omitempty" desc:"needle tasks: asked prompt length in tokens; RULER: that of prompt and answer; LongBench: the row's own length field; questions: the context's tokens"`
	Depth       *float64 `parquet:"depth,optional" json:"depth,omitempty" desc:"needle's place, 0 to 100 percent of the haystack"`
	Answer      string   `parquet:"answer,optional" json:"answer,omitempty" desc:"the expected answer; several as a JSON array of strings"`
	NeedleToken *int     `parquet:"needle_token,optional" json:"needle_token,omitempty" desc:"position of the needle's first token in the prompt"`
	Recalled    *float64 `parquet:"recalled,optional" json:"recalled,omitempty" desc:"share of the value's characters right before the first wrong one"`
	Rouge1R     *float64 `parquet:"rouge1_r,optional" json:"rouge1_r,omitempty" desc:"ROUGE-1 recall"`
	Rouge1F     *float64 `parquet:"rouge1_f,optional" json:"rouge1_f,omitempty" desc:"ROUGE-1 F"`
	LMEvalF1    *float64 `parquet:"lm_eval_f1,optional" json:"lm_eval_f1,omitempty" desc:"GraphWalks: lm-evaluation-harness's F1 of the same answer, 0 to 1"`

	CodeSimLevenshtein *float64 `parquet:"code_sim_levenshtein,optional" json:"code_sim_levenshtein,omitempty" desc:"code sets: similarity by Levenshtein, 0 to 1"`
	CodeSimDifflib     *float64 `parquet:"code_sim_difflib,optional" json:"code_sim_difflib,omitempty" desc:"code sets: similarity by difflib, 0 to 1"`

	Loose    *float64          `parquet:"loose,optional" json:"loose,omitempty" desc:"instructions: share followed by IFEval's loose reading, 0 to 1; the score is the share followed strictly"`
	Followed map[string]string `parquet:"followed,optional" json:"followed,omitempty" desc:"instructions: each by name, and whether it is followed: strict, loose (by the loose reading alone) or no"`

	LeakedInstructions *float64 `parquet:"leaked_instructions,optional" json:"leaked_instructions,omitempty" desc:"leakage: ROUGE-L recall of the instructions, 0 to 1"`
	LeakedDefence      *float64 `parquet:"leaked_defence,optional" json:"leaked_defence,omitempty" desc:"leakage: the same of the defence that was to keep them secret"`
	LeakedBoth         *float64 `parquet:"leaked_both,optional" json:"leaked_both,omitempty" desc:"leakage: the same of the two together"`

	KLMean          *float64 `parquet:"kl_mean,optional" json:"kl_mean,omitempty" desc:"mean KL divergence (nats) from the full cache's next-token distribution, along its greedy answer"`
	KLP99           *float64 `parquet:"kl_p99,optional" json:"kl_p99,omitempty" desc:"99th percentile of the same"`
	Top1Agreement   *float64 `parquet:"top1_agreement,optional" json:"top1_agreement,omitempty" desc:"share of those steps with the same most likely token"`
	FirstDivergence *int     `parquet:"first_divergence,optional" json:"first_divergence,omitempty" desc:"first of those steps with another most likely token; null where there is none"`
	KLLowerMean     *float64 `parquet:"kl_lower_mean,optional" json:"kl_lower_mean,omitempty" desc:"lower bound of kl_mean, from the 20 most likely tokens that a server tells of each distribution"`
	KLLowerP99      *float64 `parquet:"kl_lower_p99,optional" json:"kl_lower_p99,omitempty" desc:"99th percentile of the same bound"`
	AnswerLogProb   *float64 `parquet:"answer_logprob_change,optional" json:"answer_logprob_change,omitempty" desc:"log-probability (nats) of the baseline's answer under this server, less that under the baseline"`

	KLAt0     *float64 `parquet:"kl_0_7,optional" json:"kl_0_7,omitempty" desc:"kl_mean over tokens 0 to 7 of the answer alone, or kl_lower_mean where the row has that; null where nothing was compared there"`
	KLAt8     *float64 `parquet:"kl_8_31,optional" json:"kl_8_31,omitempty" desc:"kl_mean over tokens 8 to 31 of the answer alone, or kl_lower_mean where the row has that; null where nothing was compared there"`
	KLAt32    *float64 `parquet:"kl_32_127,optional" json:"kl_32_127,omitempty" desc:"kl_mean over tokens 32 to 127 of the answer alone, or kl_lower_mean where the row has that; null where nothing was compared there"`
	KLAt128   *float64 `parquet:"kl_128,optional" json:"kl_128,omitempty" desc:"kl_mean over tokens 128 and later of the answer alone, or kl_lower_mean where the row has that; null where nothing was compared there"`
	Top1At0   *float64 `parquet:"top1_0_7,optional" json:"top1_0_7,omitempty" desc:"top1_agreement over tokens 0 to 7 of the answer alone; null where nothing was compared there"`
	Top1At8   *float64 `parquet:"top1_8_31,optional" json:"top1_8_31,omitempty" desc:"top1_agreement over tokens 8 to 31 of the answer alone; null where nothing was compared there"`
	Top1At32  *float64 `parquet:"top1_32_127,optional" json:"top1_32_127,omitempty" desc:"top1_agreement over tokens 32 to 127 of the answer alone; null where nothing was compared there"`
	Top1At128 *float64 `parquet:"top1_128,optional" json:"top1_128,omitempty" desc:"top1_agreement over tokens 128 and later of the answer alone; null where nothing was compared there"`

	Evidence      string            `parquet:"evidence,optional" json:"evidence,omitempty" desc:"--evidence: name of the passages of which evidence_rho tells: evidence, value or answer"`
	EvidenceRho   *float64          `parquet:"evidence_rho,optional" json:"evidence_rho,omitempty" desc:"least ρ: of those passages' tokens, the lowest share of the full cache's answer's attention that goes to heads which kept the token; null where unknown"`
	EvidenceLost  *bool             `parquet:"evidence_lost,optional" json:"evidence_lost,omitempty" desc:"whether the full cache answers the sample and this variant does not; null where the full cache does not, or answers are not known"`
	EvidenceLabel string            `parquet:"evidence_label,optional" json:"evidence_label,omitempty" desc:"of a lost answer: evicted, thinned or kept but unused, by evidence_rho (docs/evidence.md)"`
	MarksKept     map[string]string `parquet:"marks_kept,optional" json:"marks_kept,omitempty" desc:"--evidence: by name of marked passages (needle, value, answer, evidence, instruction, question), the share of their tokens that is kept, mean over layers and heads"`
	MarksAny      map[string]string `parquet:"marks_any,optional" json:"marks_any,omitempty" desc:"the same for what at least one head of a layer keeps, mean over layers"`
	MarksGone     map[string]string `parquet:"marks_gone_layers,optional" json:"marks_gone_layers,omitempty" desc:"by the same names, in how many layers no head keeps any of it"`
}

// Key is a row's identity, the value of ID: a sha256 over the fields that are known before the sample is run and could
// change its text, and over what the caller adds, such as the weights' digest, the tokenizer or the limit of new tokens,
// each as "name=value". Measured values and Schema are left out. The version in front rises only if the key itself is
// computed in another way.
func (r *Row) Key(extra ...string) string {
	h := sha256.New()
	write := func(s string) { fmt.Fprintf(h, "%d:%s,", len(s), s) } // length first, so that different lists give different text
	for _, s := range []string{
		"snapbench-row-1", r.Model, r.Revision, r.Task, fmt.Sprint(r.TaskVersion), r.Sample, r.Protocol, r.PromptSHA256,
		r.Variant, r.Device, r.DType,
	} {
		write(s)
	}
	if r.Rope != "" { // rows of before --rope keep their identity
		write("rope=" + r.Rope)
	}
	for _, s := range extra {
		write(s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Place is what a run has one row of: a sample asked by a protocol under a variant.
type Place struct{ Task, Protocol, Sample, Variant string }

// Place returns the row's place in its run.
func (r *Row) Place() Place { return Place{r.Task, r.Protocol, r.Sample, r.Variant} }

// deviceKind is Device without the number of the card.
func (r *Row) deviceKind() string {
	kind, _, _ := strings.Cut(r.Device, ":")
	return kind
}

// SetAnswers stores the expected answers in the one column Answer.
func (r *Row) SetAnswers(answers []string) {
	switch {
	case len(answers) == 0:
		r.Answer = ""
	case len(answers) == 1 && answers[0] != "" && !strings.HasPrefix(answers[0], "["):
		r.Answer = answers[0]
	default:
		b, err := json.Marshal(answers)
		if err != nil {
			panic("results: a list of strings that JSON cannot hold: " + err.Error())
		}
		r.Answer = string(b)
	}
}

// Answers is the inverse of SetAnswers. A text of another program that starts like a JSON array but is not one is a
// single answer.
func (r *Row) Answers() []string {
	if r.Answer == "" {
		return nil
	}
	if strings.HasPrefix(r.Answer, "[") {
		var list []string
		if json.Unmarshal([]byte(r.Answer), &list) == nil {
			return list
		}
	}
	return []string{r.Answer}
}

// Column describes one column of the parquet file for documentation and exports.
type Column struct {
	Name     string
	Type     string // int, float, bool, string or map (of strings)
	Nullable bool
	Desc     string
	field    int
}

var columns = Columns()

// Columns lists the columns of Row in file order.
func Columns() []Column { return columnsOf(reflect.TypeFor[Row]()) }

func columnsOf(t reflect.Type) []Column {
	list := make([]Column, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		c := Column{Name: name, Nullable: opts == "optional", Desc: f.Tag.Get("desc"), field: i}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		switch ft.Kind() {
		case reflect.Int, reflect.Int64:
			c.Type = "int"
		case reflect.Float64:
			c.Type = "float"
		case reflect.String:
			c.Type = "string"
		case reflect.Bool:
			c.Type = "bool"
		case reflect.Map:
			c.Type = "map"
		default:
			panic("results: column " + name + " has the unknown type " + ft.String())
		}
		list = append(list, c)
	}
	return list
}

// Value returns the column's value in a row: an int64, float64, bool or string, or nil for null. A map is a string as
// written by [Params].
func (c Column) Value(r *Row) any {
	v := reflect.ValueOf(r).Elem().Field(c.field)
	if c.Type == "map" {
		if v.Len() == 0 {
			return nil
		}
		return Params(v.Interface().(map[string]string))
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Float64:
		return v.Float()
	case reflect.String:
		if c.Nullable && v.Len() == 0 {
			return nil
		}
		return v.String()
	case reflect.Bool:
		return v.Bool()
	}
	return v.Int()
}

// Params writes parameters in one line, sorted by name: "k=7 w=32".
func Params(params map[string]string) string {
	words := make([]string, 0, len(params))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		words = append(words, name+"="+params[name])
	}
	return strings.Join(words, " ")
}

// NeedleBegins and NeedleEnds stand around the needle in a row's NeedleText.
const NeedleBegins, NeedleEnds = "⟦", "⟧"

// NoMetric is the metric of a row that no score is asked of, since its sample has no answers.
const NoMetric = "none"

// renamed gives the row's metric the name that it has today: until version 2 of exact, contains was named so.
func (r *Row) renamed() {
	if r.Metric == "exact" && r.MetricVersion == 1 {
		r.Metric = "contains"
	}
}

// check returns an error for a row that breaks a rule on which readers rely.
func (r *Row) check() error {
	switch {
	case r.ID == "":
		return fmt.Errorf("task %q, sample %q, variant %q: no id", r.Task, r.Sample, r.Variant)
	case r.Schema != Schema:
		return fmt.Errorf("row %.12s: schema %d, want %d", r.ID, r.Schema, Schema)
	case r.Task == "" || r.Sample == "" || r.Variant == "":
		return fmt.Errorf("row %.12s: task %q, sample %q, variant %q: none may be empty", r.ID, r.Task, r.Sample, r.Variant)
	case r.Error == "" && r.Score == nil && r.Metric != NoMetric:
		return fmt.Errorf("row %.12s (task %q, sample %q, variant %q): neither a score nor an error", r.ID, r.Task, r.Sample, r.Variant)
	case r.Error != "" && r.Score != nil:
		return fmt.Errorf("row %.12s (task %q, sample %q, variant %q): both a score and the error %q", r.ID, r.Task, r.Sample, r.Variant, r.Error)
	case r.Score != nil && !(*r.Score >= 0 && *r.Score <= 1): // written so that NaN fails
		return fmt.Errorf("row %.12s (task %q, sample %q, variant %q): score %v is not within 0 to 1", r.ID, r.Task, r.Sample, r.Variant, *r.Score)
	}
	for name, how := range r.Followed {
		if name == "" || !slices.Contains(followedHow, how) {
			return fmt.Errorf("row %.12s (task %q, sample %q, variant %q): followed has %q as %q: have %s", r.ID, r.Task, r.Sample, r.Variant, name, how, strings.Join(followedHow, ", "))
		}
	}
	for name, text := range r.Params {
		if name == "" || text == "" {
			return fmt.Errorf("row %.12s (task %q, sample %q, variant %q): params has %q as %q: a parameter has a name and a text", r.ID, r.Task, r.Sample, r.Variant, name, text)
		}
	}
	if err := r.checkEvidence(); err != nil {
		return fmt.Errorf("row %.12s (task %q, sample %q, variant %q): %w", r.ID, r.Task, r.Sample, r.Variant, err)
	}
	for _, c := range columns {
		if v, ok := c.Value(r).(float64); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
			return fmt.Errorf("row %.12s (task %q, sample %q, variant %q): %s is %v; what is unknown is null", r.ID, r.Task, r.Sample, r.Variant, c.Name, v)
		}
	}
	return nil
}
