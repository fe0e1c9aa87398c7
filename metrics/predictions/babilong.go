package predictions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/metrics"
)

func init() {
	RegisterFormat(Format{
		Task:  "babilong",
		About: "TASK_LENGTH_RUN.csv, such as qa1_4k_instruction_yes_examples_yes_post_prompt_yes.csv, with the columns target, output and question",
		Grade: gradeBABILong,
	})
}

var babilongFile = regexp.MustCompile(`^(qa[0-9]+)_([0-9]+[kM])_(.+)\.csv$`)

// babilongSet is a file of BABILong's predictions.
type babilongSet struct {
	task, length, run string
	Graded
}

func gradeBABILong(dir string) (Report, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Report{}, fmt.Errorf("predictions: %w", err)
	}
	var sets []babilongSet
	var errs []error
	for _, e := range entries {
		name := babilongFile.FindStringSubmatch(e.Name())
		if name == nil || e.IsDir() {
			continue
		}
		s := babilongSet{task: name[1], length: name[2], run: name[3]}
		s.Graded = Graded{Task: "babilong-" + s.task, Protocol: s.run, File: filepath.Join(dir, e.Name())}
		if err := s.read(); err != nil {
			errs = append(errs, err)
			continue
		}
		sets = append(sets, s)
	}
	if err := errors.Join(errs...); err != nil {
		return Report{}, err
	}
	if len(sets) == 0 {
		return Report{}, fmt.Errorf("predictions: no TASK_LENGTH_RUN.csv, such as qa1_4k_instruction_yes_examples_yes_post_prompt_yes.csv, in %s", dir)
	}
	slices.SortStableFunc(sets, func(a, b babilongSet) int {
		if c := strings.Compare(a.run, b.run); c != 0 {
			return c
		}
		if d := number(a.task[2:]) - number(b.task[2:]); d != 0 {
			return d
		}
		return CompareLengths(a.length, b.length)
	})
	var r Report
	for _, s := range sets {
		r.Files = append(r.Files, s.Graded)
		if n := len(r.Tables); n == 0 || r.Tables[n-1].Title != s.run {
			r.Tables = append(r.Tables, babilongTable(s.run, sets))
		}
	}
	return r, nil
}

// number is what a pattern has found to be digits; a number that no file's name means to say is a large one.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil || n > 1<<20 {
		return 1 << 20
	}
	return n
}

// CompareLengths orders the benchmark's names of lengths, shortest first.
func CompareLengths(a, b string) int { return lengthOf(a) - lengthOf(b) }

// lengthOf orders the benchmark's names of lengths: 0k, 128k, 1M.
func lengthOf(name string) int {
	n := number(strings.TrimRight(name, "kM"))
	if strings.HasSuffix(name, "M") {
		n *= 1000
	}
	return n
}

// babilongTable is the table of a run, tasks by lengths, with the mean of the first five tasks where a length has all.
func babilongTable(run string, sets []babilongSet) Table {
	t := Table{Title: run}
	for _, s := range sets {
		if s.run == run && !slices.Contains(t.Columns, s.length) {
			t.Columns = append(t.Columns, s.length)
		}
	}
	slices.SortFunc(t.Columns, CompareLengths)
	sum, count := make([]float64, len(t.Columns)), make([]int, len(t.Columns))
	for _, s := range sets {
		if s.run != run {
			continue
		}
		if n := len(t.Rows); n == 0 || t.Rows[n-1].Name != s.task {
			t.Rows = append(t.Rows, TableRow{s.task, make([]*float64, len(t.Columns))})
		}
		column, points := slices.Index(t.Columns, s.length), s.Points()
		t.Rows[len(t.Rows)-1].Points[column] = &points
		if number(s.task[2:]) <= 5 {
			sum[column] += points
			count[column]++
		}
	}
	mean := TableRow{"mean of qa1 to qa5", make([]*float64, len(t.Columns))}
	for i, n := range count {
		if n == 5 {
			points := sum[i] / 5
			mean.Points[i] = &points
		}
	}
	t.Rows = append(t.Rows, mean)
	return t
}

// pandasMissing are the fields that pandas reads as missing, in quotes or without.
var pandasMissing = []string{
	"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
}

// read reads and grades the file. An output that pandas reads as missing is empty, as the original makes it.
func (s *babilongSet) read() error {
	f, err := inputs.Open(s.File)
	if err != nil {
		return fmt.Errorf("predictions: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("predictions: %w", err)
	}
	var questions []string
	err = eachCSV(s.File, f, bounds.Unpacking(info.Size()), []string{"target", "output", "question"}, func(line int, fields []string) error {
		if fields[0] == "" || fields[2] == "" {
			return fmt.Errorf("target %q, question %q: want some text in each", fields[0], fields[2])
		}
		if slices.Contains(pandasMissing, fields[1]) {
			fields[1] = ""
		}
		s.Rows = append(s.Rows, GradedRow{Sample: fmt.Sprintf("%s/%d", s.length, len(s.Rows)+1), Prediction: fields[1], Answers: []string{fields[0]}})
		questions = append(questions, fields[2])
		return nil
	})
	if err != nil {
		return err
	}
	return s.grade("babilong", func(i int) (ref metrics.Reference, err error) {
		ref.Answers = s.Rows[i].Answers
		ref.Classes, err = metrics.BABILongClasses(s.task, questions[i])
		return ref, err
	})
}
