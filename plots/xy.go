package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Axes names the columns of an XY picture. X and Y are needed; Facet gives every value of a column a panel of its
// own, Series a line of its own.
type Axes struct{ X, Y, Facet, Series string }

// most distinct values of a column that can be told apart in a picture.
const (
	mostFacets = 25
	mostSeries = 16
	mostPlaces = 40 // on x; more numbers than that are put into bins
)

// XY draws the mean of a column over rows, with its 95 % interval over rows, against another column. X may be a number
// or text; numbers with many values are binned, each bin holding as many rows as the next. Rows in which one of the
// columns is null are left out; how many is in the subtitle.
func XY(set results.Set, a Axes) (Figure, error) {
	x, err := column(a.X)
	if err != nil {
		return Figure{}, err
	}
	y, err := column(a.Y)
	if err != nil {
		return Figure{}, err
	}
	if y.Type == "string" {
		return Figure{}, fmt.Errorf("column %q is text and has no mean: choose a number for y, such as score", a.Y)
	}
	text := func(name string, most int) (func(*results.Row) string, []string, error) {
		if name == "" {
			return func(*results.Row) string { return "" }, []string{""}, nil
		}
		c, err := column(name)
		if err != nil {
			return nil, nil, err
		}
		var labels map[string]string
		if name == "variant" {
			labels = results.Labels(set.Rows)
		}
		of := func(r *results.Row) string {
			switch v := c.Value(r).(type) {
			case nil:
				return absent
			case float64:
				return strconv.FormatFloat(v, 'g', 6, 64)
			case string:
				if l, ok := labels[v]; ok {
					return l
				}
				return v
			default:
				return fmt.Sprint(v)
			}
		}
		list := distinctInOrder(set.Rows, of)
		slices.SortStableFunc(list, results.Natural)
		if len(list) > most {
			return nil, nil, fmt.Errorf("column %q has %d values, too many for a picture (at most %d)", name, len(list), most)
		}
		return of, list, nil
	}
	facetOf, facets, err := text(a.Facet, mostFacets)
	if err != nil {
		return Figure{}, err
	}
	seriesOf, names, err := text(a.Series, mostSeries)
	if err != nil {
		return Figure{}, err
	}

	// A row without a variant's parameter, such as the full cache's, belongs beside every value of it.
	everywhere := len(facets) > 1 && slices.Contains([]string{"capacity", "window", "kernel", "pooling", "gqa"}, a.Facet)
	if everywhere {
		facets = slices.DeleteFunc(facets, func(f string) bool { return f == absent })
	}
	inFacet := func(r *results.Row, f string) bool { v := facetOf(r); return v == f || everywhere && v == absent }

	yScale, points := 1.0, false
	ylabel := axisLabel(y)
	for _, m := range results.Measures() {
		if m.Name == a.Y && m.Points {
			yScale, points, ylabel = 100, true, barTitle(m)
		}
	}

	// Where every row stands on x.
	place := make([]float64, len(set.Rows)) // NaN: left out
	axisX := axis{label: axisLabel(x)}
	numbers := x.Type != "string"
	var values []float64
	missing := 0
	for i := range set.Rows {
		r := &set.Rows[i]
		place[i] = math.NaN()
		vx, vy := x.Value(r), y.Value(r)
		if vx == nil || vy == nil {
			missing++
			continue
		}
		if numbers {
			place[i] = number(vx)
			values = append(values, place[i])
		} else {
			place[i] = 0
		}
	}
	if missing == len(set.Rows) {
		return Figure{}, fmt.Errorf("%s against %s: %w: every row lacks one of them", a.Y, a.X, ErrNothing)
	}
	if numbers {
		slices.Sort(values)
		unique := slices.Compact(slices.Clone(values))
		if len(unique) > mostPlaces {
			bin(place, values)
			unique = nil
			for _, v := range place {
				if !math.IsNaN(v) {
					unique = append(unique, v)
				}
			}
			slices.Sort(unique)
			unique = slices.Compact(unique)
			axisX.label += ", in bins"
		}
		axisX = numberAxis(axisX.label, unique, x.Name)
	} else {
		seen := map[string]bool{}
		var texts []string
		for i := range set.Rows {
			if s, ok := x.Value(&set.Rows[i]).(string); ok && !math.IsNaN(place[i]) && !seen[s] {
				seen[s] = true
				texts = append(texts, s)
			}
		}
		order := map[string][]string{"task": set.Run.Tasks, "variant": set.Run.Variants}[x.Name]
		slices.SortStableFunc(texts, results.Natural)
		slices.SortStableFunc(texts, orderOf(order))
		if len(texts) > mostPlaces {
			return Figure{}, fmt.Errorf("column %q has %d values, too many for a picture (at most %d)", a.X, len(texts), mostPlaces)
		}
		labels := map[string]string{}
		if x.Name == "variant" {
			labels = results.Labels(set.Rows)
		}
		at := map[string]float64{}
		for i, s := range texts {
			at[s] = float64(i)
			l := s
			if short, ok := labels[s]; ok {
				l = short
			}
			if x.Name == "budget" {
				l = budgetName(s)
			}
			axisX.ticks = append(axisX.ticks, tickMark{float64(i), l})
		}
		axisX.lo, axisX.hi = -0.6, float64(len(texts))-0.4
		for i := range set.Rows {
			if !math.IsNaN(place[i]) {
				place[i] = at[x.Value(&set.Rows[i]).(string)]
			}
		}
	}

	ch := chart{
		title: noUnit(axisLabel(y)) + " by " + lower(noUnit(axisLabel(x))), x: axisX, ylabel: ylabel,
		connect: numbers || x.Name == "budget",
	}
	subjects, _ := results.Subjects(set.Rows)
	if len(subjects) == 1 {
		ch.subtitle = subjects[0].String()
	} else {
		ch.subtitle = fmt.Sprintf("%d models, protocols or devices together", len(subjects))
	}
	if missing > 0 {
		ch.subtitle += fmt.Sprintf("; %d of %d rows have no value", missing, len(set.Rows))
	}
	if a.Series != "" {
		ch.labels = names
	}
	for _, f := range facets {
		p := chartPanel{}
		if a.Facet != "" {
			p.title = strings.ReplaceAll(a.Facet, "_", " ") + " " + f
		}
		for _, s := range names {
			at := map[float64][]float64{}
			var xs []float64
			for i := range set.Rows {
				r := &set.Rows[i]
				if math.IsNaN(place[i]) || !inFacet(r, f) || seriesOf(r) != s {
					continue
				}
				if at[place[i]] == nil {
					xs = append(xs, place[i])
				}
				at[place[i]] = append(at[place[i]], number(y.Value(r)))
			}
			slices.Sort(xs)
			ln := line{label: s}
			for _, v := range xs {
				iv := results.PlainInterval(at[v])
				if points {
					iv = results.MeanInterval(at[v])
				}
				ln.points = append(ln.points, point{v, yScale * iv.Mean, yScale * iv.Lo, yScale * iv.Hi})
			}
			p.lines = append(p.lines, ln)
		}
		ch.panels = append(ch.panels, p)
	}
	y0 := yAxis(points, ch.panels...) // one scale, or panels could not be compared
	for i := range ch.panels {
		ch.panels[i].y = y0
	}
	return ch.figure(fileName("xy", a.Y, a.X, a.Facet, a.Series)), nil
}

// absent stands for null where values become labels.
const absent = "none"

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	panic(fmt.Sprintf("plots: %T is no number", v))
}

func noUnit(label string) string {
	label, _, _ = strings.Cut(label, " (")
	return label
}

// lower starts a label in lower case, but for abbreviations.
func lower(s string) string {
	if len(s) > 1 && strings.ToUpper(s[:2]) == s[:2] {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// column finds a column by name.
func column(name string) (results.Column, error) {
	var have []string
	for _, c := range results.Columns() {
		if c.Name == name {
			return c, nil
		}
		have = append(have, c.Name)
	}
	return results.Column{}, fmt.Errorf("unknown column %q: have %s", name, strings.Join(have, ", "))
}

// axisLabel is the column's name with its unit.
func axisLabel(c results.Column) string {
	unit := map[string]string{
		"depth": "%", "length": "tokens", "window": "tokens", "kernel": "tokens", "capacity": "tokens", "budget": "tokens or share",
		"kept_min": "positions", "kept_mean": "positions", "kept_max": "positions", "kl_mean": "nats", "kl_p99": "nats",
	}[c.Name]
	words := strings.Split(c.Name, "_")
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
	label = strings.NewReplacer("kl ", "KL ", "rouge1 r", "ROUGE-1 recall", "rouge1 f", "ROUGE-1 F", "gqa", "GQA").Replace(label)
	if unit != "" {
		label += " (" + unit + ")"
	}
	return upper(label)
}

// bin moves every value to the middle of its bin; sorted has the values in order.
func bin(place, sorted []float64) {
	const bins = 12
	edge := make([]float64, bins)
	for b := range edge {
		edge[b] = sorted[b*len(sorted)/bins]
	}
	sum, n := make([]float64, bins), make([]float64, bins)
	of := func(v float64) int {
		b := bins - 1
		for b > 0 && v < edge[b] {
			b--
		}
		return b
	}
	for _, v := range sorted {
		sum[of(v)] += v
		n[of(v)]++
	}
	for i, v := range place {
		if !math.IsNaN(v) {
			place[i] = sum[of(v)] / n[of(v)]
		}
	}
}

// numberAxis is logarithmic where positive values span a factor of sixteen or more; numbers of tokens, which are asked
// for by doubling, from four on.
func numberAxis(label string, unique []float64, name string) axis {
	a := axis{label: label}
	lo, hi := unique[0], unique[len(unique)-1]
	tokens := slices.Contains([]string{"length", "capacity", "prompt_tokens", "window", "kernel"}, name)
	a.log = lo > 0 && (hi/lo >= 16 || tokens && hi/lo >= 4)
	at := unique
	if len(unique) > 9 {
		at = niceTicks(lo, hi, 5)
		if a.log {
			at = nil
			step := 10.0
			switch {
			case tokens && hi/lo > 256:
				step = 4
			case tokens || hi/lo < 30:
				step = 2
			}
			for v := math.Pow(step, math.Ceil(math.Log(lo)/math.Log(step)-1e-9)); v <= hi*1.0001; v *= step {
				at = append(at, v)
			}
		}
	}
	for _, v := range at {
		s := strconv.FormatFloat(v, 'g', 4, 64)
		if tokens && v == math.Round(v) {
			s = Tokens(int(v))
		}
		a.ticks = append(a.ticks, tickMark{v, s})
	}
	if a.log {
		span := math.Pow(hi/lo, 0.06)
		a.lo, a.hi = lo/span, hi*span
	} else {
		room := (hi - lo) * 0.06
		if room == 0 {
			room = 1
		}
		a.lo, a.hi = lo-room, hi+room
	}
	return a
}
