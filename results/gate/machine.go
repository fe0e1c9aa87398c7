package gate

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"

	"github.com/snapbench/snapbench/results"
)

// WriteJSON writes the verdict as JSON; unknown numbers are null.
func (g *Result) WriteJSON(w io.Writer) error { return writeJSON(w, g) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
}

// WriteJUnit writes the verdict as JUnit XML, one test case for each comparison and check. Undecided is an error, not
// a skip: a viewer must not show it as harmless.
func (g *Result) WriteJUnit(w io.Writer) error {
	s := junitSuite{Name: "snapbench gate, " + g.About.words()}
	add := func(c junitCase, v Verdict, message string) {
		s.Tests++
		c.Output = message
		switch v {
		case Fail:
			s.Failures++
			c.Failure = &junitMessage{message, "accuracy"}
		case Undecided:
			s.Errors++
			c.Error = &junitMessage{message, "undecided"}
		}
		s.Cases = append(s.Cases, c)
	}
	for _, l := range g.Lines {
		add(junitCase{Class: l.Subject + ", " + l.Label, Name: l.Task}, l.Verdict, g.sentence(l))
	}
	for _, k := range g.Checks {
		add(junitCase{Class: k.Subject + ", " + k.Label, Name: k.Name}, k.Verdict, fmt.Sprintf("%s: %s, limit %s", k.Verdict, k.Found, k.Limit))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suites: []junitSuite{s}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// sentence is a line of the table for those who see no table.
func (g *Result) sentence(l Line) string {
	s := fmt.Sprintf("%s, %s: drop %s points", l.Verdict, g.About.words(), results.Fixed(l.Drop, l.decimals()))
	if l.Bounds != nil {
		s += interval(l.Lo, l.Hi, 2)
	}
	s += fmt.Sprintf(", limit %s, %d samples, baseline %s, candidate %s, %d answers changed, %d worse, %d better",
		results.Fixed(l.Limit, l.decimals()), l.Samples, results.Fixed(l.Baseline, 2), results.Fixed(l.Score, 2), l.Changed, l.Worse, l.Better)
	if l.P != nil {
		s += ", p " + pValue(l.P)
	}
	if n := l.need(); n != "" {
		s += "; to decide it would take " + n
	}
	return s
}
