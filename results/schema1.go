package results

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// row1 is Row as it was in schema 1: SnapKV was the only policy, and its parameters were columns. Do not change it,
// because old files have these columns.
type row1 struct {
	Schema             int      `parquet:"schema" json:"schema"`
	ID                 string   `parquet:"id" json:"id"`
	Run                string   `parquet:"run" json:"run"`
	Model              string   `parquet:"model" json:"model"`
	Revision           string   `parquet:"revision,optional" json:"revision,omitempty"`
	Task               string   `parquet:"task" json:"task"`
	TaskVersion        int      `parquet:"task_version" json:"task_version"`
	Sample             string   `parquet:"sample" json:"sample"`
	Protocol           string   `parquet:"protocol,optional" json:"protocol,omitempty"`
	PromptSHA256       string   `parquet:"prompt_sha256,optional" json:"prompt_sha256,omitempty"`
	Variant            string   `parquet:"variant" json:"variant"`
	Policy             string   `parquet:"policy" json:"policy"`
	Budget             string   `parquet:"budget" json:"budget"`
	Capacity           *int     `parquet:"capacity,optional" json:"capacity,omitempty"`
	Window             *int     `parquet:"window,optional" json:"window,omitempty"`
	Kernel             *int     `parquet:"kernel,optional" json:"kernel,omitempty"`
	Pooling            string   `parquet:"pooling,optional" json:"pooling,omitempty"`
	GQA                string   `parquet:"gqa,optional" json:"gqa,omitempty"`
	Device             string   `parquet:"device" json:"device"`
	DType              string   `parquet:"dtype" json:"dtype"`
	PromptTokens       *int     `parquet:"prompt_tokens,optional" json:"prompt_tokens,omitempty"`
	NewTokens          *int     `parquet:"new_tokens,optional" json:"new_tokens,omitempty"`
	PromptTail         string   `parquet:"prompt_tail,optional" json:"prompt_tail,omitempty"`
	Prediction         string   `parquet:"prediction" json:"prediction"`
	Metric             string   `parquet:"metric" json:"metric"`
	MetricVersion      int      `parquet:"metric_version" json:"metric_version"`
	Score              *float64 `parquet:"score,optional" json:"score,omitempty"`
	Error              string   `parquet:"error,optional" json:"error,omitempty"`
	Note               string   `parquet:"note,optional" json:"note,omitempty"`
	KeptMin            *int     `parquet:"kept_min,optional" json:"kept_min,omitempty"`
	KeptMean           *float64 `parquet:"kept_mean,optional" json:"kept_mean,omitempty"`
	KeptMax            *int     `parquet:"kept_max,optional" json:"kept_max,omitempty"`
	Audit              string   `parquet:"audit,optional" json:"audit,omitempty"`
	CacheBytes         *int64   `parquet:"cache_bytes,optional" json:"cache_bytes,omitempty"`
	PeakBytes          *int64   `parquet:"peak_bytes,optional" json:"peak_bytes,omitempty"`
	PrefillSeconds     *float64 `parquet:"prefill_seconds,optional" json:"prefill_seconds,omitempty"`
	DecodeSeconds      *float64 `parquet:"decode_seconds,optional" json:"decode_seconds,omitempty"`
	Length             *int     `parquet:"length,optional" json:"length,omitempty"`
	Depth              *float64 `parquet:"depth,optional" json:"depth,omitempty"`
	Answer             string   `parquet:"answer,optional" json:"answer,omitempty"`
	NeedleToken        *int     `parquet:"needle_token,optional" json:"needle_token,omitempty"`
	Recalled           *float64 `parquet:"recalled,optional" json:"recalled,omitempty"`
	Rouge1R            *float64 `parquet:"rouge1_r,optional" json:"rouge1_r,omitempty"`
	Rouge1F            *float64 `parquet:"rouge1_f,optional" json:"rouge1_f,omitempty"`
	CodeSimLevenshtein *float64 `parquet:"code_sim_levenshtein,optional" json:"code_sim_levenshtein,omitempty"`
	CodeSimDifflib     *float64 `parquet:"code_sim_difflib,optional" json:"code_sim_difflib,omitempty"`
	KLMean             *float64 `parquet:"kl_mean,optional" json:"kl_mean,omitempty"`
	KLP99              *float64 `parquet:"kl_p99,optional" json:"kl_p99,omitempty"`
	Top1Agreement      *float64 `parquet:"top1_agreement,optional" json:"top1_agreement,omitempty"`
	FirstDivergence    *int     `parquet:"first_divergence,optional" json:"first_divergence,omitempty"`
}

var columns1 = columnsOf(reflect.TypeFor[row1]())

// ofSchema1 reports whether a parquet file has a column that only schema 1 has, whichever program wrote it.
func ofSchema1(schema *parquet.Schema) bool {
	now := map[string]bool{}
	for _, c := range columns {
		now[c.Name] = true
	}
	for _, c := range columns1 {
		if _, there := schema.Lookup(c.Name); there && !now[c.Name] {
			return true
		}
	}
	return false
}

// upgrade turns old rows into today's, except for the field Schema. Values that the old rows do not have stay null.
func upgrade(old []row1) []Row {
	rows := make([]Row, len(old))
	for i := range old {
		from, to := reflect.ValueOf(&old[i]).Elem(), reflect.ValueOf(&rows[i]).Elem()
		for k := range from.NumField() {
			if f := to.FieldByName(from.Type().Field(k).Name); f.IsValid() {
				f.Set(from.Field(k))
			}
		}
		o, r := &old[i], &rows[i]
		params := map[string]string{}
		for name, v := range map[string]*int{"w": o.Window, "k": o.Kernel} {
			if v != nil { // null: the full cache, or a list by layer, which the column could not hold
				params[name] = strconv.Itoa(*v)
			}
		}
		for name, text := range map[string]string{"pool": o.Pooling, "gqa": o.GQA} {
			if text != "" {
				params[name] = text
			}
		}
		if len(params) > 0 {
			r.Params = params
		}
		if o.Capacity != nil && o.PromptTokens != nil && *o.PromptTokens > 0 {
			share := float64(*o.Capacity) / float64(*o.PromptTokens)
			r.Share = &share
		}
	}
	return rows
}

// findFullCaches sets full_cache_bytes in rows without it, to the cache_bytes of the full cache's row of the same sample.
func findFullCaches(rows []Row) {
	type prompt struct {
		subject      Subject
		task, sample string
	}
	full := map[prompt]*int64{}
	for i := range rows {
		if r := &rows[i]; r.Policy == "full" && r.CacheBytes != nil {
			full[prompt{r.Subject(), r.Task, r.Sample}] = r.CacheBytes
		}
	}
	for i := range rows {
		if r := &rows[i]; r.FullCacheBytes == nil && r.CacheBytes != nil {
			r.FullCacheBytes = full[prompt{r.Subject(), r.Task, r.Sample}]
		}
	}
}

// late says that rows written by an earlier version may lack the column because it was not there yet.
func (c Column) late() bool {
	return slices.Contains([]string{"share", "host", "full_cache_bytes", "needle_text", "held_mean", "fixed_cache_bytes"}, c.Name) || slices.ContainsFunc(answerParts, func(p AnswerPart) bool {
		return c.Name == "kl_"+p.suffix() || c.Name == "top1_"+p.suffix()
	})
}

// fill copies the column's value from another row if r has none.
func (c Column) fill(r, from *Row) {
	if c.Value(r) == nil {
		reflect.ValueOf(r).Elem().Field(c.field).Set(reflect.ValueOf(from).Elem().Field(c.field))
	}
}

// parseRow reads a row as JSON, of this schema or an earlier one, and returns it in today's schema.
func parseRow(b []byte) (Row, error) {
	var version struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return Row{}, err
	}
	switch version.Schema {
	case 1:
		var old row1
		if err := strictJSON(b, &old); err != nil {
			return Row{}, err
		}
		r := upgrade([]row1{old})[0]
		r.Schema = Schema
		r.renamed()
		return r, nil
	case Schema:
		var r Row
		err := strictJSON(b, &r)
		r.renamed()
		return r, err
	}
	return Row{}, fmt.Errorf("schema %d, this snapbench reads 1 to %d", version.Schema, Schema)
}
