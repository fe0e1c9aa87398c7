package console

import (
	"github.com/snapbench/snapbench/runners"
)

// pace learns from what finished pieces of work took how long the others take. Reading and decoding are learned apart: a
// run that begins with its longest prompts reads much and decodes little at first.
type pace struct {
	pieces map[string]*piece
	done   rates // effort of what this run finished
	found  rates // effort of what an earlier run had finished

	// Of finished pieces whose times are known: effort and seconds.
	of, took rates
	answers  lengths
	tasks    map[string]*lengths
}

// rates are of reading and of decoding: effort, seconds, or seconds for each unit of effort.
type rates struct{ reading, decoding float64 }

func (r *rates) add(reading, decoding float64) {
	r.reading, r.decoding = r.reading+reading, r.decoding+decoding
}

func (r rates) times(other rates) float64 { return r.reading*other.reading + r.decoding*other.decoding }

// lengths are how much of the tokens that they may have answers had, weighted by effort.
type lengths struct {
	decoded, most float64
	answers       int
}

// enoughAnswers is the number of a task's answers from which their lengths are taken for those of its others.
const enoughAnswers = 4

// piece is one of a run's pieces of work: a sample, or a cell.
type piece struct {
	task   string
	effort runners.Effort
	left   int   // of this name that are not finished: a question has one for each convention
	share  rates // of the one in hand that is done, 0 to 1
	worked bool  // this run was told of it
}

func newPace() pace { return pace{pieces: map[string]*piece{}, tasks: map[string]*lengths{}} }

// add counts a piece.
func (p *pace) add(name, task string, effort runners.Effort) {
	one := p.pieces[name]
	if one == nil {
		one = &piece{task: task, effort: effort}
		p.pieces[name] = one
	}
	one.left++
}

// within says that so much of a piece is done.
func (p *pace) within(name string, reading, decoding float64) {
	if one := p.pieces[name]; one != nil {
		one.share = rates{max(one.share.reading, reading), max(one.share.decoding, decoding)}
		one.worked = true
	}
}

// finish notes what a piece took. One that was never told of had nothing left to do: it says nothing of the others.
func (p *pace) finish(name string, spent runners.Spent) {
	one := p.pieces[name]
	if one == nil {
		return
	}
	one.left--
	effort := rates{one.effort.Reading, one.effort.Decoding}
	if !one.worked {
		p.found.add(effort.reading, effort.decoding)
		return
	}
	if spent.Decoded > 0 {
		if p.tasks[one.task] == nil {
			p.tasks[one.task] = &lengths{}
		}
		for _, l := range []*lengths{&p.answers, p.tasks[one.task]} {
			l.decoded, l.most, l.answers = l.decoded+spent.Decoded*effort.decoding, l.most+effort.decoding, l.answers+1
		}
		effort.decoding *= spent.Decoded
	}
	p.done.add(effort.reading, effort.decoding)
	if spent.Reading > 0 {
		p.of.reading, p.took.reading = p.of.reading+effort.reading, p.took.reading+spent.Reading.Seconds()
	}
	if spent.Decoding > 0 {
		p.of.decoding, p.took.decoding = p.of.decoding+effort.decoding, p.took.decoding+spent.Decoding.Seconds()
	}
	if one.left < 1 {
		delete(p.pieces, name)
	}
}

// rates are the seconds for each unit of effort, as learned. Where one of the two is not known, the other says how fast the
// machine is; where neither is, they are what was estimated.
func (p *pace) rates() rates {
	read, decode := p.of.reading > 0 && p.took.reading > 0, p.of.decoding > 0 && p.took.decoding > 0
	r := rates{1, 1}
	if read {
		r.reading = p.took.reading / p.of.reading
		r.decoding = r.reading
	}
	if decode {
		r.decoding = p.took.decoding / p.of.decoding
		if !read {
			r.reading = r.decoding
		}
	}
	return r
}

// decoded is how much of their most tokens the answers of a task have: as its others had, or all that there were.
func (p *pace) decoded(task string) float64 {
	l := p.tasks[task]
	if l == nil || l.answers < enoughAnswers {
		l = &p.answers
	}
	if l.most <= 0 {
		return 1
	}
	return l.decoded / l.most
}

// state returns how much of the work is done by this run, is left, and was found done, in seconds at the rates learned.
func (p *pace) state() (done, left, found float64) {
	r := p.rates()
	done, found = p.done.times(r), p.found.times(r)
	for _, one := range p.pieces {
		decoded := p.decoded(one.task)
		whole := rates{one.effort.Reading, decoded * one.effort.Decoding}
		part := rates{one.share.reading * one.effort.Reading, min(one.share.decoding, decoded) * one.effort.Decoding}
		if one.left < 1 {
			continue
		}
		done += part.times(r)
		left += float64(one.left)*whole.times(r) - part.times(r)
	}
	return done, max(0, left), found
}
