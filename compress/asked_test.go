package compress

import (
	"slices"
	"strings"
	"testing"
)

// Variants are asked for one by one or as combinations; what excludes what is said by the
// flags' names.
func TestAsked(t *testing.T) {
	for _, x := range []struct {
		asked Asked
		given string // flags, separated by spaces
		want  string // the variants, or what the error says
	}{
		{Asked{Policies: []string{"snapkv"}, Budgets: []string{"full", " 512"}, Values: map[string][]string{"kernels": {"5", " 7"}}}, "",
			"full snapkv(cap=512,w=32,k=5,pool=max,gqa=kv_head_mean) snapkv(cap=512,w=32,k=7,pool=max,gqa=kv_head_mean)"},
		{Asked{Variants: "full; tova(cap=64)"}, "", "full tova(cap=64)"},
		{Asked{Policies: []string{"full"}, Budgets: []string{"full", "1024"}}, "policies", "full"},
		{Asked{Policies: []string{"full"}, Budgets: []string{"512"}}, "policies budgets", "error: --policies full keeps everything: --budgets has no place beside it"},
		{Asked{Variants: "full"}, "budgets", "error: --variants and --budgets exclude each other"},
		{Asked{Variants: "full", Values: map[string][]string{"kernels": {"5"}}}, "kernels", "error: --variants and --kernels exclude each other"},
		{Asked{Policies: []string{"snapkv("}, Budgets: []string{"512"}}, "policies", "error: --policies: policy"},
	} {
		got, err := x.asked.List(func(flag string) bool { return slices.Contains(strings.Fields(x.given), flag) })
		var texts []string
		for _, v := range got {
			texts = append(texts, v.String())
		}
		text := strings.Join(texts, " ")
		if err != nil {
			text = "error: " + err.Error()
		}
		if text != x.want && !(err != nil && strings.HasPrefix(text, x.want) && strings.HasPrefix(x.want, "error: ")) {
			t.Errorf("%+v: %s, want %s", x.asked, text, x.want)
		}
	}
}

// A list of policies is cut at commas outside of parentheses. The first flag replaces the
// default.
func TestCallList(t *testing.T) {
	l := CallList{List: []string{"snapkv"}}
	for _, x := range []struct {
		change func() error
		want   string
	}{
		{func() error { return l.Set("h2o,ada(snapkv(k=5),alpha=0.3)") }, "h2o|ada(snapkv(k=5),alpha=0.3)"},
		{func() error { return l.Set("tova") }, "h2o|ada(snapkv(k=5),alpha=0.3)|tova"},
		{func() error { return l.Replace([]string{"ada(alpha=0.3", "snapkv)", "tova"}) }, "ada(alpha=0.3,snapkv)|tova"},
		{func() error { return l.Replace([]string{" "}) }, ""},
	} {
		if err := x.change(); err != nil || strings.Join(l.GetSlice(), "|") != x.want {
			t.Errorf("%q, %v, want %q", l.GetSlice(), err, x.want)
		}
	}
}
