package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// grading is what a line of a user's own file says of one answer: what it is held to, and how
// long it may be.
type grading struct {
	answers []string
	classes []string
	metric  string
	version int // of the metric
	maxNew  int
	// evidence are passages of the text that the answer rests on.
	evidence []string
}

// parseGrading reads the fields "answers", "classes", "evidence", "metric" and "max_new". Where no metric is
// named, it is the one given.
func parseGrading(fields map[string]json.RawMessage, metric string) (g grading, err error) {
	g.metric, g.maxNew = metric, promptsNew
	if _, ok := fields["answers"]; ok {
		if g.answers, err = stringsField(fields, "answers"); err != nil {
			return g, err
		}
		if len(g.answers) == 0 {
			return g, errors.New(`field "answers" is an empty list: leave it out where none is known`)
		}
	}
	if i := slices.Index(g.answers, ""); i >= 0 { // an empty answer is in every text, where some metrics would find it
		return g, fmt.Errorf(`field "answers": answer %d is empty: there is nothing to find`, i+1)
	}
	if _, ok := fields["classes"]; ok {
		if g.classes, err = stringsField(fields, "classes"); err != nil {
			return g, err
		}
	}
	if _, ok := fields["evidence"]; ok {
		if g.evidence, err = stringsField(fields, "evidence"); err != nil {
			return g, err
		}
		if len(g.evidence) == 0 {
			return g, errors.New(`field "evidence" is an empty list: leave it out where none is known`)
		}
	}
	_, named := fields["metric"]
	if named {
		if g.metric, err = stringField(fields, "metric"); err != nil {
			return g, err
		}
	}
	if named && strings.HasPrefix(g.metric, "command:") { // the file may be a stranger's
		return g, errors.New(`field "metric": a file of prompts does not say which programs run: give it as --metric command:…`)
	}
	scorer, err := metrics.Open(g.metric)
	switch {
	case err != nil:
		return g, fmt.Errorf(`field "metric": %w`, err)
	case g.answers != nil || scorer.Free:
		if scorer.Check != nil {
			if err := scorer.Check(metrics.Reference{Answers: g.answers, Classes: g.classes}); err != nil {
				return g, fmt.Errorf(`field "answers": %w`, err)
			}
		}
		g.metric, g.version = scorer.Name, scorer.Version
	case named:
		return g, fmt.Errorf(`field "metric": %s compares with answers, and there is no field "answers"`, scorer.Name)
	default:
		g.metric = metrics.None
	}
	if _, ok := fields["max_new"]; ok {
		if g.maxNew, err = intField(fields, "max_new"); err != nil {
			return g, err
		}
		if g.maxNew == 0 {
			return g, errors.New(`field "max_new": 0 new tokens leave nothing to grade`)
		}
	}
	return g, nil
}

// metricText names the metric, with its version where it is not the first: a file that says
// the same is asked another question where the metric means another thing. Passages of evidence
// follow, where there are any.
func (g *grading) metricText() string {
	text := g.metric
	if g.version > 1 {
		text = fmt.Sprintf("%s/%d", g.metric, g.version)
	}
	if g.evidence != nil {
		text += fmt.Sprintf(" %q", g.evidence)
	}
	return text
}

// onlyFields refuses a field that is not known.
func onlyFields(fields map[string]json.RawMessage, known []string) error {
	var unknown []string
	for f := range fields {
		if !slices.Contains(known, f) {
			unknown = append(unknown, f)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	sort.Strings(unknown)
	if len(unknown) == 1 {
		return lookup.Unknown("field", unknown[0], known...)
	}
	return fmt.Errorf("unknown fields %q: have %s", unknown, strings.Join(known, ", "))
}

// idField reads the field "id", which may be missing but not empty.
func idField(fields map[string]json.RawMessage) (string, error) {
	if _, ok := fields["id"]; !ok {
		return "", nil
	}
	id, err := stringField(fields, "id")
	if err == nil && id == "" {
		err = errors.New(`field "id" is empty`)
	}
	return id, err
}
