package jieba

import (
	"fmt"
	"unicode/utf8"
)

// The states of the model: a character begins a word, is inside one, ends one,
// or is one.
const (
	begin = iota
	middle
	end
	single
	states
)

// stateNames are the states' letters in the tables, in the order above. If two
// paths to a state are equally probable, the previous state whose letter is later
// in the alphabet wins.
const stateNames = "BMES"

// minFloat stands for the logarithm of 0. It is finite, and of such magnitude
// that adding the logarithm of a probability does not change it. Ties among
// impossible paths are common, and are broken as in the original.
const minFloat = -3.14e100

// from lists the states that may come before each one. In a tie the first wins.
var from = [states][2]int{
	begin:  {single, end},
	middle: {middle, begin},
	end:    {middle, begin},
	single: {single, end},
}

// hmm is the hidden Markov model: logarithms of probabilities.
type hmm struct {
	start [states]float64
	trans [states][states]float64 // trans[a][b]: from a to b
	emit  [states]map[rune]float64
}

// parseHMM reads the three tables, each a Python module that assigns a literal
// to P.
func parseHMM(startName string, start []byte, transName string, trans []byte, emitName string, emit []byte) (hmm, error) {
	var m hmm
	startTable, err := parseTable(startName, start)
	if err != nil {
		return m, err
	}
	transTable, err := parseTable(transName, trans)
	if err != nil {
		return m, err
	}
	emitTable, err := parseTable(emitName, emit)
	if err != nil {
		return m, err
	}
	for state, letter := range stateNames {
		if m.start[state], err = startTable.number(string(letter)); err != nil {
			return m, fmt.Errorf("%s: %w", startName, err)
		}
		row, err := transTable.table(string(letter))
		if err != nil {
			return m, fmt.Errorf("%s: %w", transName, err)
		}
		for to, letter := range stateNames {
			m.trans[state][to] = minFloat
			if _, ok := row[string(letter)]; ok {
				if m.trans[state][to], err = row.number(string(letter)); err != nil {
					return m, fmt.Errorf("%s: %w", transName, err)
				}
			}
		}
		column, err := emitTable.table(string(letter))
		if err != nil {
			return m, fmt.Errorf("%s: %w", emitName, err)
		}
		m.emit[state] = make(map[rune]float64, len(column))
		for key := range column {
			r, size := utf8.DecodeRuneInString(key)
			if size != len(key) || size == 0 {
				return m, fmt.Errorf("%s: state %c: the key %q is not one character", emitName, letter, clip(key))
			}
			if m.emit[state][r], err = column.number(key); err != nil {
				return m, fmt.Errorf("%s: state %c: %w", emitName, letter, err)
			}
		}
	}
	return m, nil
}

// cut appends to words those of a run of Han characters, given by the most
// probable sequence of states (Viterbi).
func (m *hmm) cut(words []string, run string) []string {
	var offsets []int
	var back [][states]uint8 // the state before each state
	var score [states]float64
	for at, r := range run {
		var emit [states]float64
		for s := range states {
			e, ok := m.emit[s][r]
			if !ok {
				e = minFloat
			}
			emit[s] = e
		}
		offsets = append(offsets, at)
		back = append(back, [states]uint8{})
		if at == 0 {
			for s := range states {
				score[s] = m.start[s] + emit[s]
			}
			continue
		}
		last := score
		for s := range states {
			a, b := from[s][0], from[s][1]
			pa := last[a] + m.trans[a][s] + emit[s]
			pb := last[b] + m.trans[b][s] + emit[s]
			if pb > pa {
				a, pa = b, pb
			}
			score[s], back[len(back)-1][s] = pa, uint8(a)
		}
	}
	if len(offsets) == 0 {
		return words
	}
	path := make([]uint8, len(offsets))
	path[len(path)-1] = single
	if score[end] > score[single] {
		path[len(path)-1] = end
	}
	for i := len(path) - 1; i > 0; i-- {
		path[i-1] = back[i][path[i]]
	}
	offsets = append(offsets, len(run))
	start, next := 0, 0
	for i, state := range path {
		switch state {
		case begin:
			start = offsets[i]
		case end:
			words = append(words, run[start:offsets[i+1]])
			next = offsets[i+1]
		case single:
			words = append(words, run[offsets[i]:offsets[i+1]])
			next = offsets[i+1]
		}
	}
	if next < len(run) {
		words = append(words, run[next:])
	}
	return words
}
