package plots

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
)

// source is where a picture takes values from: a column of rows, or a parameter of their variants.
type source struct {
	name      string
	kind      string                 // int, float or string
	value     func(*results.Row) any // nil for null
	parameter bool
}

// column finds a column by name, or a parameter that some of the rows have. params.NAME means the parameter if there is
// a column of the same name.
func column(rows []results.Row, name string) (source, error) {
	var have []string
	for _, c := range results.Columns() {
		if c.Name == name {
			s := source{name: name, kind: c.Type, value: c.Value}
			switch c.Type {
			case "map":
				s.kind = "string"
			case "bool":
				s.kind = "string"
				s.value = func(r *results.Row) any {
					if v := c.Value(r); v != nil {
						return fmt.Sprint(v)
					}
					return nil
				}
			}
			return s, nil
		}
		have = append(have, c.Name)
	}
	found := map[string]bool{}
	for i := range rows {
		for p := range rows[i].Params {
			found[p] = true
		}
	}
	if p := strings.TrimPrefix(name, "params."); found[p] {
		return parameter(rows, p), nil
	}
	params := ""
	if len(found) > 0 {
		params = "; and of the parameters " + strings.Join(slices.SortedFunc(maps.Keys(found), results.Natural), ", ")
	}
	near := lookup.Offer(name, append(slices.Collect(maps.Keys(found)), have...))
	return source{}, fmt.Errorf("unknown column %q: %shave %s%s", name, near, strings.Join(have, ", "), params)
}

// parameter makes the source of a parameter. It is a number if its text is one in every row that has it.
func parameter(rows []results.Row, name string) source {
	numbers := true
	for i := range rows {
		if text, ok := rows[i].Params[name]; ok {
			_, err := strconv.ParseFloat(text, 64)
			numbers = numbers && err == nil
		}
	}
	s := source{name: name, kind: "string", parameter: true}
	if numbers {
		s.kind = "float"
	}
	s.value = func(r *results.Row) any {
		text, ok := r.Params[name]
		if !ok {
			return nil
		}
		if numbers {
			v, _ := strconv.ParseFloat(text, 64) // checked above
			return v
		}
		return text
	}
	return s
}

// ofVariant reports whether a row without a value, such as the full cache's, belongs to every value.
func (s source) ofVariant() bool { return s.parameter || s.name == "capacity" || s.name == "share" }

// axisLabel is the name with its unit.
func (s source) axisLabel() string {
	if s.parameter {
		return s.name
	}
	unit := map[string]string{
		"depth": "%", "length": "tokens", "capacity": "tokens", "budget": "tokens or share", "share": "of the prompt",
		"kept_min": "positions", "kept_mean": "positions", "kept_max": "positions", "held_mean": "positions",
	}[s.name]
	if strings.HasPrefix(s.name, "kl_") {
		unit = "nats"
	}
	words := strings.Split(s.name, "_")
	switch last := words[len(words)-1]; last {
	case "seconds", "bytes":
		unit, words = last, words[:len(words)-1]
		if last == "seconds" {
			unit = "s"
		}
	case "tokens":
		unit = "tokens"
		words = words[:len(words)-1]
		if len(words) == 1 && words[0] == "new" {
			words = []string{"generated"}
		}
	}
	label := strings.Join(words, " ")
	label = strings.NewReplacer("kl ", "KL ", "rouge1 r", "ROUGE-1 recall", "rouge1 f", "ROUGE-1 F").Replace(label)
	if unit != "" {
		label += " (" + unit + ")"
	}
	return upper(label)
}
