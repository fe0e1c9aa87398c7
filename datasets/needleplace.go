package datasets

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// place counts the tokens of sentences, block by block, until they fill so many tokens. It
// returns how many whole sentences fit, and puts each needle at the boundary between two
// sentences that is nearest to its depth.
func (p *needlePrompt) place(space int) (whole int, err error) {
	const blockBytes = 4096
	type block struct{ from, to, start, tokens int }
	var blocks []block
	total := 0
	for sentence := 0; total <= space; {
		b := block{from: sentence, start: total}
		for size := 0; size < blockBytes && b.to < b.from+256; {
			size += len(p.hay.sentence(p.first + sentence))
			sentence++
			b.to = sentence
		}
		if b.tokens, err = p.count(p.hay.sentences(p.first+b.from, p.first+b.to)); err != nil {
			return 0, err
		}
		if b.tokens == 0 {
			return 0, fmt.Errorf("the tokenizer gives no tokens for the haystack's text %.40q", p.hay.sentence(p.first+b.from))
		}
		total += b.tokens
		blocks = append(blocks, b)
	}
	// starts estimates the positions of the first tokens of a block's sentences and of the
	// sentence after it: the sentences' own counts, scaled to the block's.
	starts := func(b block) ([]float64, error) {
		list := []float64{0}
		for i := b.from; i < b.to; i++ {
			n, err := p.count(p.hay.sentence(p.first + i))
			if err != nil {
				return nil, err
			}
			list = append(list, list[len(list)-1]+float64(n))
		}
		scale := float64(b.tokens) / max(1, list[len(list)-1])
		for i := range list {
			list[i] = float64(b.start) + list[i]*scale
		}
		return list, nil
	}
	// find returns the block that holds a token, and its starts.
	find := func(token float64) (block, []float64, error) {
		i, _ := slices.BinarySearchFunc(blocks, token, func(b block, token float64) int {
			return cmp.Compare(float64(b.start+b.tokens), token)
		})
		b := blocks[min(i, len(blocks)-1)]
		s, err := starts(b)
		return b, s, err
	}
	b, list, err := find(float64(space))
	if err != nil {
		return 0, err
	}
	for i, start := range list {
		if start <= float64(space) {
			whole = b.from + i
		}
	}
	for _, depth := range p.depths {
		target := depth / 100 * float64(space)
		b, list, err := find(target)
		if err != nil {
			return 0, err
		}
		best, distance := atEnd, float64(space)-target
		for i, start := range list {
			if d := math.Abs(start - target); b.from+i <= whole && start <= float64(space) && d < distance {
				best, distance = b.from+i, d
			}
		}
		p.before = append(p.before, best)
	}
	return whole, nil
}

// nearly corrects the number of whole sentences, which place estimated, until about a
// sentence or less is missing. It returns that number and how many tokens are missing.
func (p *needlePrompt) nearly(length, whole int) (sentences, left int, err error) {
	for round := range 20 {
		text, _ := p.assemble(0, whole, "")
		ids, err := p.model.encode(text)
		if err != nil {
			return 0, 0, err
		}
		left := length - len(ids)
		was, guess := whole, left
		for guess < 0 && whole > 0 {
			whole--
			n, err := p.count(p.hay.sentence(p.first + whole))
			if err != nil {
				return 0, 0, err
			}
			guess += n
		}
		for left > 0 { // after a sentence was dropped, none is added: it would not fit
			n, err := p.count(p.hay.sentence(p.first + whole))
			if err != nil {
				return 0, 0, err
			}
			if guess -= n; guess < 0 {
				break
			}
			whole++
		}
		// The last sentence may fit by the count of the parts and not by that of the whole,
		// so that the rounds would go on for ever: the fifth is accepted.
		if left >= 0 && (whole == was || round >= 4) {
			return was, left, nil
		}
		if whole == was {
			return 0, 0, fmt.Errorf("a prompt of %d tokens has no room: without a haystack it takes %d", length, len(ids))
		}
	}
	return 0, 0, fmt.Errorf("a prompt of %d tokens can't be filled with sentences of %s", length, p.hay.name)
}
