package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapbench/snapbench/metrics"
)

// What every registered task is held to; the next one, too.

// contractData gives a family's options what its tasks cannot be opened without, and
// keeps the samples few. A family that is not here is opened at its defaults; the test of
// a family adds its own in init.
var contractData = map[string]func(t *testing.T, task string, own any){
	"needle": func(_ *testing.T, _ string, own any) {
		o := own.(*NeedleOptions)
		o.Lengths, o.Depths, o.Trials, o.Seed = []int{900, 600}, []float64{0, 70}, 2, 5
	},
	"longbench": func(t *testing.T, task string, own any) {
		set, err := longbenchSet(task)
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{"dataset": task, "answers": []string{"one", "two"}, "all_classes": nil}
		if set.Chinese {
			fields["language"] = "zh"
		}
		if set.Metric == "classification" {
			fields["all_classes"] = []string{"one", "two", "three"}
		}
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, task+".jsonl"), qasperRow("a", fields)+qasperRow("b", fields)+qasperRow("c", fields))
		own.(*LongBenchOptions).Data = dir
	},
	"prompts": func(t *testing.T, _ string, own any) {
		own.(*PromptsOptions).File = writeFile(t, filepath.Join(t.TempDir(), "mine.jsonl"),
			`{"prompt": "What is one and one?", "answers": ["two"], "id": "sum"}`+"\n"+
				`{"messages": [{"role": "user", "content": "And two and two?"}], "answers": ["four"], "max_new": 3}`+"\n"+
				`{"prompt": "And three?", "answers": ["six"]}`+"\n")
	},
	"questions": func(t *testing.T, _ string, own any) {
		own.(*QuestionsOptions).File = writeFile(t, filepath.Join(t.TempDir(), "questions.jsonl"),
			`{"id": "k", "context": "Ann has a hat.", "questions": [{"question": "Who?", "answers": ["Ann"]}, {"question": "What has she?", "answers": ["hat"], "max_new": 3}]}`+"\n"+
				`{"context": "Ben has none.", "prompt": "Text: {context} Question: {question}", "questions": [{"question": "Who?", "answers": ["Ben"], "begin": " It is"}]}`+"\n")
	},
}

// contractOptions are options under which a task opens.
func contractOptions(t *testing.T, d Definition, task string) Options {
	o := Options{}
	if d.Own != nil {
		o.Own = d.Own()
	}
	if fill := contractData[d.Family]; fill != nil {
		fill(t, task, o.Own)
	}
	return o
}

// Declarations are whole: names of their own, help, and every field an option, of a
// kind that means the same wherever its name is used.
func TestContractDeclared(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)
	type kind struct {
		kind string
		list bool
	}
	kinds, families := map[string]kind{}, map[string]bool{}
	for _, d := range Definitions() {
		if !name.MatchString(d.Family) || d.Help == "" || families[d.Family] {
			t.Errorf("family %q: want a name of its own in small letters, and help", d.Family)
		}
		families[d.Family] = true
		for _, n := range d.Names {
			if !name.MatchString(n) {
				t.Errorf("%s: task %q: want small letters", d.Family, n)
			}
		}
		for group, members := range d.Groups {
			if expanded, err := Expand([]string{group}); err != nil || !slices.Equal(expanded, members) || !name.MatchString(group) {
				t.Errorf("%s: group %q of %q stands for %q, %v", d.Family, group, members, expanded, err)
			}
		}
		if d.Own == nil {
			continue
		}
		fields := reflect.TypeOf(d.Own()).Elem()
		options := OptionsOf(d.Own())
		if one, other := d.Own(), d.Own(); one == other {
			t.Errorf("%s: Own returns the same options twice: one task's would be another's", d.Family)
		}
		own := slices.DeleteFunc(reflect.VisibleFields(fields), func(f reflect.StructField) bool { return f.Anonymous })
		if len(own) != len(options) {
			t.Errorf("%s: %d of %d fields are declared as options", d.Family, len(options), len(own))
		}
		for _, o := range options {
			if !name.MatchString(o.Name) || o.Help == "" {
				t.Errorf("%s: option %q: want a name in small letters, and help", d.Family, o.Name)
			}
			mine := kind{o.Kind, o.List}
			if other, ok := kinds[o.Name]; ok && other != mine {
				t.Errorf("%s: option %s is %+v here and %+v elsewhere: one flag serves both", d.Family, o.Name, mine, other)
			}
			kinds[o.Name] = mine
			if err := o.Set([]string{"1"}); err != nil {
				t.Errorf("%s: option %s of kind %s: %v", d.Family, o.Name, o.Kind, err)
			}
			if err := o.Set([]string{"1", "2"}); (err == nil) != o.List {
				t.Errorf("%s: option %s, a list: %t, takes two values: %v", d.Family, o.Name, o.List, err)
			}
		}
	}
	for family := range contractData {
		if !families[family] {
			t.Errorf("data for the family %q, which is not registered", family)
		}
	}
}

// Options are part of what was asked: run.json has them, all but where data lie.
func TestContractOptionsAsJSON(t *testing.T) {
	for _, d := range Definitions() {
		if d.Own == nil {
			continue
		}
		given := contractOptions(t, d, d.Names[0]).Own
		text, err := json.Marshal(given)
		if err != nil {
			t.Errorf("%s: %v", d.Family, err)
			continue
		}
		read := d.Own()
		if err := json.Unmarshal(text, read); err != nil {
			t.Errorf("%s: %s: %v", d.Family, text, err)
			continue
		}
		v, w := reflect.ValueOf(given).Elem(), reflect.ValueOf(read).Elem()
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Tag.Get("json") != "-" && !reflect.DeepEqual(v.Field(i).Interface(), w.Field(i).Interface()) {
				t.Errorf("%s: %s is %v, read back from %s it is %v", d.Family, f.Name, v.Field(i), text, w.Field(i))
			}
		}
	}
}

// Samples are the same each time that they are made, and say all that a run needs.
func TestContractSamples(t *testing.T) {
	for _, d := range Definitions() {
		for _, name := range d.Names {
			t.Run(name, func(t *testing.T) {
				o := contractOptions(t, d, name)
				task, err := Open(name, o)
				if err != nil {
					t.Fatalf("%v: what the family needs to open belongs into contractData", err)
				}
				again, err := Open(name, o)
				if err != nil {
					t.Fatal(err)
				}
				if task.Name() != name || task.Version() < 1 || task.Len() < 1 || again.Len() != task.Len() {
					t.Fatalf("name %q, version %d, %d samples, %d the second time", task.Name(), task.Version(), task.Len(), again.Len())
				}
				if digest := task.Digest(); len(digest) != 64 || digest != again.Digest() {
					t.Errorf("digest %q, the second time %q", digest, again.Digest())
				}
				m := Model{Name: "a model", Tokenizer: wordwise(), Chat: chatml}
				var samples []Sample
				ids := map[string]bool{}
				for i := range task.Len() {
					s := task.Sample(i, m)
					if err := wellMade(task, i, s, m); err != nil {
						t.Errorf("sample %d: %v", i, err)
					}
					if ids[s.Protocol+" "+s.ID] {
						t.Errorf("the ID %q stands twice", s.ID)
					}
					ids[s.Protocol+" "+s.ID] = true
					samples = append(samples, s)
				}
				newTokens(t, task, samples)
				order := slices.Clone(Order(task))
				slices.Sort(order)
				for i, x := range order {
					if i != x {
						t.Fatalf("the order %v is not one of all samples", order)
					}
				}
				var wait sync.WaitGroup
				for i := range again.Len() {
					m.Tokenizer = wordwise() // it numbers words as they come, so ids differ and their number does not
					m := m
					wait.Go(func() {
						s := again.Sample(i, m)
						if len(s.IDs) != len(samples[i].IDs) || len(s.Question) != len(samples[i].Question) {
							t.Errorf("sample %d has %d and %d tokens, then %d and %d", i, len(samples[i].IDs), len(samples[i].Question), len(s.IDs), len(s.Question))
						}
						s.IDs, s.Question = samples[i].IDs, samples[i].Question
						if !reflect.DeepEqual(s, samples[i]) {
							t.Errorf("sample %d is\n%+v, then\n%+v", i, samples[i], s)
						}
					})
				}
				wait.Wait()
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("sample %d of %d does not panic", task.Len(), task.Len())
						}
					}()
					task.Sample(task.Len(), m)
				}()
				limits(t, name, o, m, samples)
			})
		}
	}
}

// newTokens holds what a task says of its answers' length without making a sample to the samples: exactly, but where that
// follows from the number of tokens of the expected answer.
func newTokens(t *testing.T, task Task, samples []Sample) {
	t.Helper()
	says, ok := task.(interface{ MaxNew(int) int })
	if !ok {
		t.Error("it does not say how many new tokens an answer may have: a plan would take any number for it")
		return
	}
	for i, s := range samples {
		want := s.MaxNew
		answer := " " + strings.Join(s.Answers, ", ")
		by := aboutTokens(answer) - len(strings.Fields(answer)) // the stand-in's tokens are words
		switch task := task.(type) {
		case *needleTask:
			want += 2 * by
		case *madeTask:
			if got := task.MaxNew(i); task.grid.cell(i).length > 0 && got > 0 { // a context of about that size has an answer of about that length
				if got < want/2-8 || got > 2*want+64 {
					t.Errorf("sample %d may have %d new tokens, and the task says about %d", i, want, got)
				}
				continue
			}
		}
		if got := says.MaxNew(i); got != want {
			t.Errorf("sample %d may have %d new tokens, and the task says %d, want %d", i, s.MaxNew, got, want)
		}
	}
}

// wellMade says what a sample lacks.
func wellMade(task Task, i int, s Sample, m Model) error {
	if s.Err != nil {
		return s.Err
	}
	if s.Task != task.Name() || s.TaskVersion != task.Version() || s.ID == "" || s.ID != task.ID(i) || task.Size(i) < 1 {
		return fmt.Errorf("task %q, version %d, ID %q, size %d; the task says %q, %d, %q", s.Task, s.TaskVersion, s.ID, task.Size(i), task.Name(), task.Version(), task.ID(i))
	}
	sum := sha256.Sum256([]byte(s.Prompt))
	if s.PromptSHA256 != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("the prompt's hash is %s, want %x", s.PromptSHA256, sum)
	}
	whole, err := m.encode(s.Prompt)
	if err != nil {
		return err
	}
	all := slices.Concat(s.IDs, s.Question)
	same := slices.Equal(whole, all)
	if s.Question != nil || s.Task == "questions" { // made of two texts, whose border may cut what would be one token
		same = strings.HasSuffix(m.Tokenizer.Decode(all, false), s.Prompt)
	}
	if !same {
		return fmt.Errorf("%d and %d tokens, the prompt's text has %d, or others", len(s.IDs), len(s.Question), len(whole))
	}
	if _, err := metrics.Open(s.Metric); err != nil {
		return err
	}
	if len(s.Answers) == 0 || s.MaxNew < 1 || s.MinNew < 0 || s.MinNew > s.MaxNew {
		return fmt.Errorf("answers %q, from %d to %d new tokens", s.Answers, s.MinNew, s.MaxNew)
	}
	if sized, ok := task.(interface{ Lengths() []int }); ok {
		if n := len(s.IDs) + len(s.Question); !slices.Contains(sized.Lengths(), n) {
			return fmt.Errorf("%d tokens, %v were asked for", n, sized.Lengths())
		}
	}
	if n := s.Needle; n != nil {
		for _, needle := range n.Needles {
			if !strings.Contains(s.Prompt, needle) {
				return fmt.Errorf("the needle %q is not in the prompt", needle)
			}
		}
		if n.Length != len(s.IDs) || n.Token < 0 || n.Token >= n.Length {
			return fmt.Errorf("needle %+v in %d tokens", n, len(s.IDs))
		}
	}
	return nil
}

// limits holds a task to the options that all tasks have.
func limits(t *testing.T, name string, o Options, m Model, all []Sample) {
	for _, bad := range []Options{{Limit: -1, Own: o.Own}, {MaxNew: -1, Own: o.Own}, {Metric: "no such metric", Own: o.Own}} {
		if _, err := Open(name, bad); err == nil {
			t.Errorf("limit %d, at most %d new tokens, metric %q: it opens", bad.Limit, bad.MaxNew, bad.Metric)
		}
	}
	few := o
	few.Limit, few.MaxNew, few.Metric = 2, 1, "recalled"
	task, err := Open(name, few)
	if err != nil {
		t.Error(err)
		return
	}
	if task.Len() != min(2, len(all)) {
		t.Errorf("a limit of 2 leaves %d of %d samples", task.Len(), len(all))
	}
	for i := range task.Len() {
		s := task.Sample(i, m)
		if s.ID != all[i].ID || s.PromptSHA256 != all[i].PromptSHA256 {
			t.Errorf("sample %d under a limit is %s, not %s", i, s.ID, all[i].ID)
		}
		if says, ok := task.(interface{ MaxNew(int) int }); ok && says.MaxNew(i) != 1 {
			t.Errorf("sample %d: the task says %d new tokens at most; asked was 1", i, says.MaxNew(i))
		}
		if s.MaxNew != 1 || s.Metric != "recalled" {
			t.Errorf("sample %d: at most %d new tokens, metric %s; asked were 1 and recalled", i, s.MaxNew, s.Metric)
		}
	}
}
