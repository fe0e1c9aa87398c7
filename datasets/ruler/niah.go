package ruler

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// niah hides sentences with a key and a value each, and asks for the values of some keys.
type niah struct {
	taskText
	frame  frame
	words  *pairs
	essay  *Essay
	inc    int
	needle [3]string // the sentence, cut before key and value
}

func newNiah(c Config, t taskText, f frame) *niah {
	g := &niah{taskText: t, frame: f, words: wordsOf[c.Edition]().pairs, essay: c.Essay, inc: 500}
	if t.Haystack != "essay" {
		if g.inc = 25; c.Length < 4096 {
			g.inc = 5
		}
	}
	sentence := strings.ReplaceAll(data().Needle, "{type_needle_v}", t.Value)
	head, rest, _ := strings.Cut(sentence, "{key}")
	middle, tail, _ := strings.Cut(rest, "{value}")
	g.needle = [3]string{head, middle, tail}
	return g
}

func (g *niah) step() int { return g.inc }

// most is the number of words of an essay. whole says that a prompt with all of it is drawn.
func (g *niah) most() (n int, whole bool) {
	if g.Haystack != "essay" {
		return math.MaxInt, false
	}
	return len(g.essay.ends), true
}

// hidden is one sentence about a key.
type hidden struct{ key, value string }

func (g *niah) sentence(h hidden) string {
	return g.needle[0] + h.key + g.needle[1] + h.value + g.needle[2]
}

// hide writes a sentence, marked where its key is asked for.
func (g *niah) hide(p *passage, h hidden, asked map[string]bool) {
	if !asked[h.key] {
		p.write(g.sentence(h))
		return
	}
	p.hide(g.sentence(h), len(g.needle[0])+len(h.key)+len(g.needle[1]), h.value)
}

// drawn is a key or a value as it was drawn: a number, that of a word, or a UUID.
type drawn struct {
	n    int
	uuid string
}

func (g *niah) something(s *streams, kind string) drawn {
	switch kind {
	case "words":
		return drawn{n: s.python.Below(g.words.n)}
	case "uuids":
		return drawn{uuid: s.python.UUID()}
	}
	return drawn{n: s.python.Between(1000000, 9999999)}
}

func (g *niah) spell(d drawn, kind string) string {
	switch kind {
	case "words":
		return g.words.at(d.n)
	case "uuids":
		return d.uuid
	}
	return strconv.Itoa(d.n)
}

func (g *niah) draw(s *streams, _, size int) *draft {
	var keys []string
	var needles []hidden
	for range max(g.Keys, g.Queries) {
		key := g.spell(g.something(s, g.Key), g.Key)
		keys = append(keys, key)
		for range g.Values {
			needles = append(needles, hidden{key, g.spell(g.something(s, g.Value), g.Value)})
		}
	}
	values := slices.Clone(needles) // in the order drawn
	shuffle(needles)

	var place func(p *passage, asked map[string]bool) // writes the context
	if g.Haystack == "essay" {
		var depths []float64
		for _, i := range s.python.Sample(len(percents), len(needles)) {
			depths = append(depths, percents[i])
		}
		place = func(p *passage, asked map[string]bool) { g.intoEssay(p, needles, asked, depths, size) }
	} else {
		noise := func(int) string { return data().Noise }
		if g.Haystack == "needle" {
			others := make([][2]drawn, size)
			for i := range others {
				key := g.something(s, g.Key)
				others[i] = [2]drawn{key, g.something(s, g.Value)}
			}
			noise = func(i int) string {
				return g.sentence(hidden{g.spell(others[i][0], g.Key), g.spell(others[i][1], g.Value)})
			}
		}
		if len(needles) > size {
			return nil
		}
		before := s.python.Sample(size, len(needles))
		slices.Sort(before)
		slices.Reverse(needles) // the original inserts from behind
		place = func(p *passage, asked map[string]bool) {
			next := 0
			for i := range size {
				for ; next < len(before) && before[next] == i; next++ {
					g.hide(p, needles[next], asked)
					p.write("\n")
				}
				if p.write(noise(i)); i < size-1 {
					p.write("\n")
				}
			}
		}
	}

	d := &draft{}
	var queries []string
	asked := map[string]bool{}
	for _, i := range s.python.Sample(len(keys), g.Queries) {
		queries, asked[keys[i]] = append(queries, keys[i]), true
		for _, h := range values[i*g.Values : (i+1)*g.Values] {
			d.answers = append(d.answers, h.value)
		}
	}
	query := queries[0]
	if last := len(queries) - 1; last > 0 {
		query = strings.Join(queries[:last], ", ") + ", and " + queries[last]
	}
	f, kind := g.frame, g.Value
	if g.Queries*g.Values == 1 {
		f, kind = f.forOne(), strings.TrimSuffix(kind, "s")
	}
	d.write = func(p *passage) {
		var context passage
		place(&context, asked)
		f.fill(p, &context, "{type_needle_v}", kind, "{query}", query)
	}
	return d
}

// percents are the 40 depths of the originals: 0 to 100 at equal distances, rounded.
var percents = func() (list [40]float64) {
	for i := range list {
		list[i] = float64((200*i + 39) / 78)
	}
	return list
}()

// intoEssay puts the needles between the sentences of the haystack's first words. Pieces of no
// sentences stay, so that a needle at the very start or end has a space before or after it.
func (g *niah) intoEssay(p *passage, needles []hidden, asked map[string]bool, depths []float64, words int) {
	sentences := g.essay.sentences(words)
	places := make([]int, len(depths))
	for i, depth := range depths {
		places[i] = int(float64(len(sentences)) * (depth / 100))
	}
	slices.Sort(places)
	write := func(from, to int) {
		for i := from; i < to; i++ {
			if i > from {
				p.write(" ")
			}
			p.write(sentences[i])
		}
	}
	from := 0
	for i, to := range places {
		write(from, to)
		p.write(" ")
		g.hide(p, needles[i], asked)
		p.write(" ")
		from = to
	}
	write(from, len(sentences))
}
