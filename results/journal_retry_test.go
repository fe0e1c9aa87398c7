package results

import "testing"

// A sample that could not be read has no prompt, so that its rows have another identity once it can: these take the places of those
// with the error, in the journal, after it is opened again, and in the file.
func TestRetriedRowsTakeTheirPlace(t *testing.T) {
	dir := t.TempDir()
	row := func(sample, prompt, failed string) Row {
		r := Row{Model: "m", Task: "niah", Sample: sample, Protocol: "p", Variant: "full", Policy: "full", Budget: "full", Device: "cpu", DType: "float32", PromptSHA256: prompt, Metric: "exact", Error: failed}
		if failed == "" {
			r.Score = new(1.0)
		}
		r.ID = r.Key()
		return r
	}
	j := mustOpen(t, dir)
	for _, r := range []Row{row("a", "", "no tokenizer"), row("b", "sum", ""), row("c", "", "no tokenizer")} {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	j = mustOpen(t, dir)
	again := []Row{row("a", "sum", ""), row("c", "sum", "no memory")}
	if err := j.Append(again...); err != nil {
		t.Fatal(err)
	}
	for name, journal := range map[string]*Journal{"as it is": j, "opened again": func() *Journal { j.Close(); return mustOpen(t, dir) }()} {
		if len(journal.Rows()) != 3 || journal.Finished(row("a", "", "").ID) || !journal.Finished(again[0].ID) || journal.Failed(again[0].ID) || !journal.Failed(again[1].ID) {
			t.Errorf("%s: %d rows: %+v", name, len(journal.Rows()), journal.Rows())
		}
		j = journal
	}
	other := row("b", "another sum", "") // two answers are never thrown away for each other
	if err := j.Append(other); err != nil || len(j.Rows()) != 4 {
		t.Errorf("%d rows, %v", len(j.Rows()), err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	set, err := Read(dir)
	if err != nil || len(set.Rows) != 4 {
		t.Fatalf("%d rows, %v", len(set.Rows), err)
	}
	for _, r := range set.Rows {
		if r.Error == "no tokenizer" {
			t.Errorf("the error of before is still there: %+v", r)
		}
	}
}
