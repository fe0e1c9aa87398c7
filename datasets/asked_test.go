package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Tasks open with the options that were given; mistakes in these are told from failures.
func TestAsked(t *testing.T) {
	a := Asked{Names: []string{"niah", "multikey"}, Values: map[string][]string{"lengths": {"1k"}, "depths": {"0", "50"}, "trials": {"3"}, "data": nil}, MaxNew: 7, Limit: 5}
	tasks, options, err := a.Open()
	if err != nil || len(tasks) != 2 || len(options) != 2 {
		t.Fatalf("%d tasks, %d options: %v", len(tasks), len(options), err)
	}
	if tasks[0].Name() != "niah" || tasks[1].Name() != "multikey" || tasks[0].Len() != 5 || options[0].MaxNew != 7 {
		t.Errorf("%s, %s, %d samples, %+v", tasks[0].Name(), tasks[1].Name(), tasks[0].Len(), options[0])
	}
	if own := options[1].Own.(*NeedleOptions); fmt.Sprint(own.Lengths, own.Depths, own.Trials) != "[1024] [0 50] 3" {
		t.Errorf("%+v", own)
	}
	nowhere := errors.New("no data here")
	for _, x := range []struct {
		asked   Asked
		mistake bool
		want    string
	}{
		{Asked{Names: []string{"nosuch"}}, true, `unknown task "nosuch"`},
		{Asked{Names: []string{"niah"}, Values: map[string][]string{"trials": {"many"}}}, true, "--trials:"},
		{Asked{Names: []string{"niah"}, Values: map[string][]string{"data": {"x"}}}, true, "--data: none of the tasks niah has this option"},
		{Asked{Names: []string{"qasper"}, Find: func(Definition) (string, error) { return "", nowhere }}, false, "no data here"},
	} {
		_, _, err := x.asked.Open()
		var mistake *OptionError
		if err == nil || !strings.Contains(err.Error(), x.want) || errors.As(err, &mistake) != x.mistake {
			t.Errorf("%+v: %v, want %q", x.asked.Names, err, x.want)
		}
	}
}

func TestNamesOfSets(t *testing.T) {
	all, err := ExpandSets([]string{"all"})
	if err != nil || len(all) != 16 {
		t.Errorf("all: %v, %v", all, err)
	}
	if _, err := ExpandSets([]string{"niah"}); err == nil || !strings.HasPrefix(err.Error(), `unknown set "niah": have all, zh, e, `) {
		t.Errorf("a needle task: %v", err)
	}
	for name, want := range map[string]string{
		"niah": "", "trec": `task "trec" is one of LongBench's sets: snapbench longbench --tasks trec runs it`, "x": `unknown task "x": have `,
	} {
		err := CheckNeedle(name)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// A list of sets names the errors of each, also as JSON; without sets it is an empty list.
func TestSets(t *testing.T) {
	dir := t.TempDir()
	list, err := List(dir)
	if err != nil || list.Err() != nil {
		t.Fatal(err, list.Err())
	}
	if text, err := json.Marshal(list); err != nil || string(text) != "[]" {
		t.Errorf("%s, %v", text, err)
	}
	writeFile(t, filepath.Join(dir, "qasper.jsonl"), qasperRow("a", nil))
	writeFile(t, filepath.Join(dir, "trec.jsonl"), "{}")
	if list, err = List(dir); err != nil || list.Rows() != 1 || list.Err() == nil || !strings.Contains(list.Err().Error(), "trec.jsonl:1:") {
		t.Errorf("%d rows, %v, %v", list.Rows(), list.Err(), err)
	}
	var b strings.Builder
	if err := list.Print(&b); err != nil || strings.Count(b.String(), "\n") != 3 {
		t.Errorf("%q, %v", b.String(), err)
	}
	text, err := json.Marshal(list)
	var read []map[string]any
	if err := errors.Join(err, json.Unmarshal(text, &read)); err != nil || len(read) != 2 {
		t.Fatalf("%s, %v", text, err)
	}
	if _, failed := read[0]["error"]; failed || read[0]["set"] != "qasper" || read[0]["sha256"] != list[0].SHA256 || read[1]["error"] != list[1].Err.Error() {
		t.Errorf("%s", text)
	}
}
