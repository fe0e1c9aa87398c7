package predictions

import (
	"bytes"
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
		Task:  "infinitebench",
		About: "TASK.jsonl or preds_TASK.jsonl of one model, such as passkey.jsonl, a line an answer with prediction and ground_truth",
		Grade: gradeInfiniteBench,
	})
}

// infinitebenchTasks are the tasks that a program grades, in the order of the authors' table, with their metrics.
var infinitebenchTasks = []struct{ name, metric string }{
	{"passkey", "infinitebench_passkey"}, {"number_string", "infinitebench_passkey"}, {"kv_retrieval", "infinitebench_kv"},
	{"code_run", "infinitebench_run"}, {"math_find", "infinitebench_find"}, {"math_calc", "infinitebench_calc"},
}

// gradeInfiniteBench grades the folder of a model, which the folder's name says. Of one named gpt4 math_calc drops the first
// number, as the original does. Files of other tasks are left alone.
func gradeInfiniteBench(dir string) (Report, error) {
	model := filepath.Base(filepath.Clean(dir))
	var r Report
	var errs []error
	line := TableRow{Name: model}
	table := Table{Title: "∞Bench"}
	var names []string
	for _, task := range infinitebenchTasks {
		names = append(names, task.name)
		file := filepath.Join(dir, task.name+".jsonl")
		if other := filepath.Join(dir, "preds_"+task.name+".jsonl"); !exists(file) {
			file = other
		} else if exists(other) {
			errs = append(errs, fmt.Errorf("predictions: the task %s is in both %s and %s", task.name, file, other))
			continue
		}
		if !exists(file) {
			continue
		}
		metric := task.metric
		if task.name == "math_calc" && model == "gpt4" {
			metric += "_gpt4"
		}
		g := Graded{Task: "infinitebench." + task.name, Model: model, File: file}
		if err := g.readInfiniteBench(task.name, metric); err != nil {
			errs = append(errs, err)
			continue
		}
		r.Files = append(r.Files, g)
		points := g.Points()
		table.Columns, line.Points = append(table.Columns, task.name), append(line.Points, &points)
	}
	if err := errors.Join(errs...); err != nil {
		return Report{}, err
	}
	if len(r.Files) == 0 {
		return Report{}, fmt.Errorf("predictions: no TASK.jsonl in %s: tasks are %s", dir, strings.Join(names, ", "))
	}
	table.Rows = []TableRow{line}
	r.Tables = []Table{table}
	return r, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// readInfiniteBench reads and grades a task's file.
func (g *Graded) readInfiniteBench(task, metric string) error {
	f, err := inputs.Open(g.File)
	if err != nil {
		return fmt.Errorf("predictions: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("predictions: %w", err)
	}
	err = eachObject(g.File, f, bounds.Unpacking(info.Size()), func(line int, fields map[string]json.RawMessage) error {
		row := GradedRow{Sample: strconv.Itoa(line)}
		for _, name := range []string{"prediction", "ground_truth"} {
			if _, ok := fields[name]; !ok {
				return fmt.Errorf("no field %q", name)
			}
		}
		if v := fields["prediction"]; kind(v) != "a string" || json.Unmarshal(v, &row.Prediction) != nil {
			return fmt.Errorf("prediction: expected a string, found %s", kind(v))
		}
		label, err := infinitebenchLabel(task, fields["ground_truth"])
		if err != nil {
			return fmt.Errorf("ground_truth: %w", err)
		}
		row.Answers = []string{label}
		g.Rows = append(g.Rows, row)
		return nil
	})
	if err != nil {
		return err
	}
	return g.grade(metric, func(i int) (metrics.Reference, error) { return metrics.Reference{Answers: g.Rows[i].Answers}, nil })
}

// infinitebenchLabel is a label as the metrics take it: of a list the first, but for math_calc, whose label is a list. A
// text is taken out of its quotes where labels are texts; elsewhere its quotes tell it from a number.
func infinitebenchLabel(task string, value json.RawMessage) (string, error) {
	value = bytes.TrimSpace(value)
	if task == "math_calc" {
		if kind(value) != "a list" {
			return "", fmt.Errorf("expected a list of numbers, found %s", kind(value))
		}
		return string(value), nil
	}
	if kind(value) == "a list" {
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return "", err
		}
		if len(list) == 0 {
			return "", errors.New("an empty list, nothing to compare with")
		}
		value = bytes.TrimSpace(list[0])
	}
	if !slices.Contains([]string{"a string", "a number"}, kind(value)) {
		return "", fmt.Errorf("expected a string or a number, found %s", kind(value))
	}
	var text string
	if task != "math_find" && task != "code_run" && kind(value) == "a string" {
		err := json.Unmarshal(value, &text)
		return text, err
	}
	return string(value), nil
}
