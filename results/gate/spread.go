package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// model is a subject wherever it ran.
func model(s results.Subject) results.Subject {
	return results.Subject{Model: s.Model, Revision: s.Revision, Rope: s.Rope, Protocol: s.Protocol}
}

// spread lists the models whose samples are spread over devices of several kinds, and not alike in both runs. Subjects
// of one key are held against each other.
func spread(base, cand []results.Subject, baseParts, candParts [][]results.Row, heldTo map[int]int, key func(results.Subject) results.Subject) (reasons []string) {
	of := func(subjects []results.Subject, m results.Subject) (list []int) {
		for i, s := range subjects {
			if key(s) == m {
				list = append(list, i)
			}
		}
		return list
	}
	var seen []results.Subject
	for _, s := range cand {
		m := key(s)
		if slices.Contains(seen, m) {
			continue
		}
		seen = append(seen, m)
		b, c := of(base, m), of(cand, m)
		if len(b) > 0 && len(b)+len(c) > 2 && uneven(baseParts, candParts, b, c, heldTo) {
			reasons = append(reasons, fmt.Sprintf("%s: the baseline has %s, the candidate %s: run all samples of both on devices of one kind",
				s.Model, onDevices(base, baseParts, b), onDevices(cand, candParts, c)))
		}
	}
	return reasons
}

type sampleName struct{ task, sample string }

func samplesIn(rows []results.Row) map[sampleName]bool {
	set := map[sampleName]bool{}
	for i := range rows {
		set[sampleName{rows[i].Task, rows[i].Sample}] = true
	}
	return set
}

// uneven says whether the parts b of a baseline and c of a candidate, one for each kind of device, leave a sample of one
// run without its like: in a pair, or in a part of the baseline that nothing is held to.
func uneven(base, cand [][]results.Row, b, c []int, heldTo map[int]int) bool {
	compared := map[sampleName]bool{}
	for _, i := range c {
		mine := samplesIn(cand[i])
		if !maps.Equal(mine, samplesIn(base[heldTo[i]])) {
			return true
		}
		maps.Copy(compared, mine)
	}
	for _, k := range b {
		for s := range samplesIn(base[k]) {
			if !compared[s] {
				return true
			}
		}
	}
	return false
}

// onDevices is "5 samples on cpu float32 and 1 on ref float32".
func onDevices(subjects []results.Subject, parts [][]results.Row, of []int) string {
	var list []string
	for n, i := range of {
		count := fmt.Sprint(len(samplesIn(parts[i])))
		if n == 0 {
			count += " samples"
		}
		list = append(list, fmt.Sprintf("%s on %s %s", count, subjects[i].Device, subjects[i].DType))
	}
	return strings.Join(list, " and ")
}
