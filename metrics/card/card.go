// Package card describes metrics for people: what each score means, with an example.
package card

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/metrics"
)

// Metric describes a metric.
type Metric struct {
	Name       string   `json:"metric"`
	Version    int      `json:"version"`
	About      string   `json:"about"`
	Definition string   `json:"definition"`
	Answers    bool     `json:"needs_answers"`
	Example    *Example `json:"example,omitempty"`
}

// Example is a prediction and its score.
type Example struct {
	Prediction string   `json:"prediction"`
	Answers    []string `json:"answers"`
	Classes    []string `json:"classes,omitempty"`
	Score      float64  `json:"score"`
}

// Of describes a scorer.
func Of(s metrics.Scorer) Metric {
	m := Metric{Name: s.Name, Version: s.Version, About: s.About, Definition: s.Definition, Answers: !s.Free}
	if e := s.Example; e.Prediction != "" {
		m.Example = &Example{e.Prediction, e.Reference.Answers, e.Reference.Classes, e.Score}
	}
	return m
}

// Own are the two kinds of metrics that a user brings, by what stands before the colon.
func Own() []Metric {
	return []Metric{
		{Name: "regex:PATTERN", Version: 1, About: "1 if a pattern matches, or finds one of the answers", Definition: metrics.PatternDefinition,
			Example: &Example{"6 × 7 = 42\n#### 42", []string{"42"}, nil, 1}},
		{Name: "command:PROGRAM", Version: 1, About: "what a program of your own says", Definition: metrics.CommandDefinition},
	}
}

// List describes every metric: the registered ones by name, then the user's own kinds.
func List() ([]Metric, error) {
	var list []Metric
	for _, name := range metrics.Names() {
		s, err := metrics.Open(name)
		if err != nil {
			return nil, err
		}
		list = append(list, Of(s))
	}
	return append(list, Own()...), nil
}

// Show describes one metric by its name, or by the kind of the user's own: "regex", "command".
func Show(name string) (Metric, error) {
	for _, m := range Own() {
		kind, _, _ := strings.Cut(m.Name, ":")
		if name == kind || name == m.Name {
			return m, nil
		}
	}
	s, err := metrics.Open(name)
	return Of(s), err
}

// PrintList writes a line for each.
func PrintList(w io.Writer, list []Metric) error {
	var err error
	for _, m := range list {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-30s %s\n", m.Name, m.About)
		}
	}
	return err
}

// width is that of a definition's lines.
const width = 88

// Print writes the description.
func (m Metric) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, version %d\n%s\n\n%s\n", m.Name, m.Version, m.About, wrap(m.Definition))
	if e := m.Example; e != nil {
		fmt.Fprintf(&b, "\nprediction  %q\n", e.Prediction)
		list := func(name string, texts []string) {
			for i, t := range texts {
				if i > 0 {
					name = ""
				}
				fmt.Fprintf(&b, "%-11s %q\n", name, t)
			}
		}
		if strings.HasPrefix(m.Name, "regex:") {
			fmt.Fprintf(&b, "%-11s %s\n", "pattern", "regex:#### (?P<value>[-0-9.,]+)")
		}
		list("answers", e.Answers)
		list("classes", e.Classes)
		fmt.Fprintf(&b, "score       %s\n", strconv.FormatFloat(float64(int(e.Score*1000+0.5))/1000, 'f', -1, 64))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks a text into lines.
func wrap(text string) string {
	var b strings.Builder
	n := 0
	for i, word := range strings.Fields(text) {
		size := len([]rune(word))
		switch {
		case i == 0:
		case n+1+size > width:
			b.WriteByte('\n')
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += size
	}
	return b.String()
}
