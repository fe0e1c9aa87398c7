package predictions

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/metrics"
)

func init() {
	RegisterFormat(Format{
		Task:  "longbench-v2",
		About: "MODEL.jsonl, a line a row with difficulty, length, answer, and response or pred",
		Grade: gradeLongBenchV2,
	})
}

// gradeLongBenchV2 makes a line of the table for each file, as the benchmark's result.py does.
func gradeLongBenchV2(dir string) (Report, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Report{}, fmt.Errorf("predictions: %w", err)
	}
	plain := Table{Title: "LongBench v2", Columns: metrics.LongBenchV2Columns}
	compensated := Table{Title: "LongBench v2, no answer counted as a quarter", Columns: metrics.LongBenchV2Columns}
	var r Report
	var errs []error
	unanswered := 0
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".jsonl")
		if !ok || e.IsDir() {
			continue
		}
		g, rows, err := readLongBenchV2(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		g.Model = name
		r.Files = append(r.Files, g)
		for _, row := range rows {
			if row.Letter == "" {
				unanswered++
			}
		}
		for quarter, t := range map[bool]*Table{false: &plain, true: &compensated} {
			points, _, err := metrics.LongBenchV2Table(rows, quarter)
			if err != nil { // the rows were checked one by one
				panic(err)
			}
			t.Rows = append(t.Rows, TableRow{name, points})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Report{}, err
	}
	if len(r.Files) == 0 {
		return Report{}, fmt.Errorf("predictions: no MODEL.jsonl in %s", dir)
	}
	r.Tables = []Table{plain}
	if unanswered > 0 {
		r.Tables = append(r.Tables, compensated)
	}
	return r, nil
}

// readLongBenchV2 reads and grades a file. The letter is read from the response; where a row has none, it is what the
// file says.
func readLongBenchV2(file string) (g Graded, rows []metrics.LongBenchV2Row, err error) {
	g = Graded{Task: "longbench-v2", File: file}
	f, err := inputs.Open(file)
	if err != nil {
		return g, nil, fmt.Errorf("predictions: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return g, nil, fmt.Errorf("predictions: %w", err)
	}
	err = eachObject(file, f, bounds.Unpacking(info.Size()), func(line int, fields map[string]json.RawMessage) error {
		var row metrics.LongBenchV2Row
		id, response, pred := strconv.Itoa(line), "", ""
		for _, c := range []struct {
			name string
			into *string
			must []string // values that it may have; nil: any, and it may be missing or null
		}{
			{"_id", &id, nil}, {"response", &response, nil}, {"pred", &pred, nil}, {"answer", &row.Answer, []string{"A", "B", "C", "D"}},
			{"difficulty", &row.Difficulty, metrics.LongBenchV2Columns[1:3]}, {"length", &row.Length, metrics.LongBenchV2Columns[3:]},
		} {
			value, ok := fields[c.name]
			if c.must == nil && (!ok || kind(value) == "null") {
				continue
			}
			if !ok {
				return fmt.Errorf("no field %q", c.name)
			}
			if kind(value) != "a string" || json.Unmarshal(value, c.into) != nil {
				return fmt.Errorf("%s: expected a string, found %s", c.name, kind(value))
			}
			if c.must != nil && !slices.Contains(c.must, *c.into) {
				return fmt.Errorf("%s: %q is none of %s", c.name, *c.into, strings.Join(c.must, ", "))
			}
		}
		switch _, ok := fields["pred"]; {
		case fields["response"] != nil && kind(fields["response"]) != "null":
			row.Letter = metrics.LongBenchV2Letter(response)
		case !ok:
			return errors.New(`neither "response" nor "pred"`)
		default:
			response, row.Letter = pred, pred
		}
		rows = append(rows, row)
		g.Rows = append(g.Rows, GradedRow{
			Sample: strings.Join([]string{row.Difficulty, row.Length, id}, "/"), Prediction: response, Answers: []string{row.Answer}, Score: row.Score(false),
		})
		return nil
	})
	scorer, openErr := metrics.Open("longbench_v2")
	if err := errors.Join(err, openErr); err != nil {
		return g, nil, err
	}
	g.Metric, g.MetricVersion = scorer.Name, scorer.Version
	return g, rows, nil
}
