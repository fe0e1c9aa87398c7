package datasets

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/snapbench/snapbench/metrics"
)

// needleVersion is the version of the needle tasks' prompts and rules.
//
// Changes: 1, the first.
const needleVersion = 1

func init() {
	Register(Definition{
		Family: "needle", Help: "find a hidden sentence: length × depth", Names: NeedleNames(),
		Groups: map[string][]string{"needle": NeedleNames()},
		Own:    func() any { return &NeedleOptions{Seed: 42} },
		Open:   openNeedle,
	})
}

// needleKinds are the needle tasks by name.
var needleKinds = map[string]needleKind{
	// niah hides Needles keys with one value each and asks for all of them; of
	// one key it is the classic needle in a haystack.
	"niah": {needles: 1},
	// multikey hides Needles keys and asks for one.
	"multikey": {needles: 4},
	// multivalue hides one key with Needles values and asks for all of them.
	"multivalue": {needles: 4},
	// variable hides a chain of Needles assignments, each variable taking its
	// value from the one before, and asks for every variable that holds the
	// first value (RULER's variable tracking, without its worked example).
	"variable": {needles: 5},
}

type needleKind struct {
	needles int // default number of needles
}

// NeedleNames lists the needle tasks, sorted.
func NeedleNames() []string { return slices.Sorted(maps.Keys(needleKinds)) }

// NeedleOptions say which grid of needle prompts to make.
type NeedleOptions struct {
	// Lengths are the prompts' lengths in tokens, chat template included;
	// default 1024, 2048, 4096.
	Lengths []int `option:"lengths" kind:"tokens" help:"prompt lengths in tokens, template included (default 1k,2k,4k)"`
	// MaxLength asks for a sweep instead: 1024, 2048, 4096 … below it, and itself.
	MaxLength int `option:"max-len" kind:"tokens" help:"sweep 1k, 2k, 4k … and this length instead" json:",omitempty"`
	// Depths are the places of the needle, 0 to 100 percent of the haystack's
	// tokens; default 0, 25, 50, 75, 100.
	Depths []float64 `option:"depths" kind:"depths" help:"how many depths from 0 to 100, or the depths in percent: 0,25,50,75,100, one alone with its sign: 50% (default 5)"`
	// Trials is the number of prompts per length and depth, default 1, each
	// with its own stretch of text, key and value.
	Trials int `option:"trials" kind:"whole" least:"1" help:"prompts per length and depth, each with its own text, key and value (default 1)"`
	// Seed changes every key, value and stretch of text.
	Seed uint64 `option:"seed" kind:"seed" help:"of keys, values and stretches of text"`
	// Needles is the number of sentences to hide; default by task.
	Needles int `option:"needles" kind:"whole" least:"1" help:"sentences to hide (default by task)"`
	// Wording is "ruler" (default) or "kamradt", which has niah alone.
	Wording string `option:"wording" kind:"text" help:"wording: ruler, kamradt (default ruler)"`
	// Haystack is a folder of *.txt files; default the embedded text.
	Haystack string `option:"haystack" kind:"text" help:"folder of *.txt files (default the embedded text)" json:"-"`
	// Value is the kind of value: "numbers" (default), "words" or "uuids".
	Value string `option:"value" kind:"text" help:"kind of value: numbers, words, uuids (default numbers)"`
	// ValueLength is the number of digits (default 7) or words (default 2) of
	// a value.
	ValueLength int `option:"value-length" kind:"whole" least:"1" help:"digits or words of a value"`
}

// LengthSweep is 1024, 2048, 4096 … below longest, and longest itself.
func LengthSweep(longest int) []int {
	var list []int
	for n := 1024; n < longest; n *= 2 {
		list = append(list, n)
	}
	return append(list, longest)
}

// DepthGrid is n depths from 0 to 100 percent at equal distances; a single one
// is 50.
func DepthGrid(n int) []float64 {
	if n == 1 {
		return []float64{50}
	}
	list := make([]float64, n)
	for i := range list {
		list[i] = 100 * float64(i) / float64(n-1)
	}
	return list
}

// mostTrials keeps a grid within what can be listed.
const mostTrials = 100_000

// needleTask is a grid of needle prompts: lengths outermost, then depths, then
// trials.
type needleTask struct {
	name    string
	o       NeedleOptions
	metric  string
	maxNew  int
	n       int
	wording needleWording
	hay     *haystack
}

func openNeedle(name string, opts Options) (Task, error) {
	o := *opts.Own.(*NeedleOptions)
	t := &needleTask{name: name, maxNew: opts.MaxNew}
	bad := func(format string, args ...any) (Task, error) {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, fmt.Errorf(format, args...))}
	}
	switch {
	case o.MaxLength > 0 && len(o.Lengths) > 0:
		return bad("--max-len and --lengths exclude each other")
	case o.MaxLength > 0:
		o.Lengths = LengthSweep(o.MaxLength)
	case len(o.Lengths) == 0:
		o.Lengths = LengthSweep(4096)
	}
	if len(o.Depths) == 0 {
		o.Depths = DepthGrid(5)
	}
	for i, n := range o.Lengths {
		if n <= 0 {
			return bad("length %d is not a number of tokens", n)
		}
		if slices.Contains(o.Lengths[:i], n) {
			return bad("length %d is asked for twice", n)
		}
	}
	for i, d := range o.Depths {
		if !(d >= 0 && d <= 100) {
			return bad("depth %v is not within 0 to 100 percent", d)
		}
		if slices.Contains(o.Depths[:i], d) {
			return bad("depth %v is asked for twice", d)
		}
	}
	switch {
	case o.Trials < 0:
		return bad("%d trials", o.Trials)
	case o.Trials == 0:
		o.Trials = 1
	case o.Trials > mostTrials:
		return bad("%d trials are too many: at most %d", o.Trials, mostTrials)
	}
	switch {
	case o.Needles < 0:
		return bad("%d needles", o.Needles)
	case o.Needles == 0:
		o.Needles = needleKinds[name].needles
	case o.Needles > 1000:
		return bad("%d needles are too many: at most 1000", o.Needles)
	}
	if o.Wording == "" {
		o.Wording = "ruler"
	}
	w, ok := needleWordings[o.Wording]
	if !ok {
		return bad("unknown wording %q: have kamradt, ruler", o.Wording)
	}
	if o.Wording == "kamradt" && (name != "niah" || o.Needles != 1) {
		return bad("wording kamradt has one fixed needle: task niah, 1 needle")
	}
	switch o.Value {
	case "", "numbers":
		o.Value = "numbers"
		o.ValueLength = cmp.Or(o.ValueLength, 7)
	case "words":
		o.ValueLength = cmp.Or(o.ValueLength, 2)
	case "uuids":
		if o.ValueLength != 0 {
			return bad("the length of a uuid is fixed, not %d", o.ValueLength)
		}
	default:
		return bad("unknown kind of value %q: have numbers, uuids, words", o.Value)
	}
	if o.ValueLength < 0 || o.ValueLength > 64 {
		return bad("a value of %d %s: have 1 to 64", o.ValueLength, o.Value)
	}
	if name == "variable" && o.Value != "numbers" {
		return bad("the chain of variables starts from a number, not from %s", o.Value)
	}
	if name != "variable" && o.Value == "numbers" && float64(o.Needles) > 9*math.Pow(10, float64(o.ValueLength-1))/2 {
		return bad("%d different values of %d digits", o.Needles, o.ValueLength)
	}
	t.metric = cmp.Or(opts.Metric, w.metric)
	if _, err := metrics.Open(t.metric); err != nil {
		return bad("%w", err)
	}
	var err error
	if t.hay, err = openHaystack(o.Haystack); err != nil {
		return bad("%w", err)
	}
	t.o, t.wording = o, w
	t.n = limited(len(o.Lengths)*len(o.Depths)*o.Trials, opts.Limit)
	return t, nil
}

func (t *needleTask) Name() string   { return t.name }
func (t *needleTask) Version() int   { return needleVersion }
func (t *needleTask) Len() int       { return t.n }
func (t *needleTask) Size(i int) int { length, _, _ := t.cell(i); return length }

// Lengths returns the prompts' lengths in tokens, exactly as they will be.
func (t *needleTask) Lengths() []int { return t.o.Lengths }

func (t *needleTask) Digest() string { return digestOf(slices.Values([]string{t.hay.text})) }

// cell returns the length, depth and trial of sample i.
func (t *needleTask) cell(i int) (length int, depth float64, trial int) {
	if i < 0 || i >= t.n {
		panic(fmt.Sprintf("datasets: sample %d of %d", i, t.n))
	}
	trial = i % t.o.Trials
	i /= t.o.Trials
	return t.o.Lengths[i/len(t.o.Depths)], t.o.Depths[i%len(t.o.Depths)], trial
}

func (t *needleTask) ID(i int) string {
	length, depth, trial := t.cell(i)
	return fmt.Sprintf("length=%d,depth=%s,trial=%d", length, strconv.FormatFloat(depth, 'g', -1, 64), trial)
}

func (t *needleTask) Sample(i int, m Model) Sample {
	length, depth, trial := t.cell(i)
	s := Sample{
		Task: t.name, TaskVersion: needleVersion, ID: t.ID(i), Metric: t.metric, End: EndGeneration, Length: length,
		Needle: &NeedleInfo{Length: length, Depth: depth, Trial: trial},
	}
	// Every cell has its own stream, so that a grid of other lengths, depths
	// or trials has the same prompts where the cells are the same.
	rng := newRandom(fmt.Sprintf("needle %d %s %s %s %d %d | %d %d %v %d",
		needleVersion, t.name, t.o.Wording, t.o.Value, t.o.ValueLength, t.o.Needles, t.o.Seed, length, depth, trial))
	if err := t.build(&s, m, rng); err != nil {
		s.fail(err)
	}
	return s
}

func (t *needleTask) build(s *Sample, m Model, rng *random) error {
	if m.Tokenizer == nil {
		return errNoTokenizer
	}
	if m.ContextLength > 0 && s.Length > m.ContextLength { // before a text is built that nobody can read
		return fmt.Errorf("the prompt has %d tokens, the model's context %d", s.Length, m.ContextLength)
	}
	q, err := t.question(rng)
	if err != nil {
		return err
	}
	s.Answers = q.answers
	s.Needle.Answer = strings.Join(q.answers, ", ")
	s.Needle.Needles = q.needles
	head, tail, err := m.around(q.content, q.begun)
	if err != nil {
		return err
	}
	answer, err := m.Tokenizer.Encode(" "+s.Needle.Answer, false)
	if err != nil {
		return err
	}
	// Room for an answer in other words: RULER's 128 for every task costs
	// decoding time that a value of eight tokens does not need.
	s.MaxNew = capped(2*len(answer)+8, t.maxNew)

	p := stack{
		hay: t.hay, model: m, head: head, tail: tail, needles: q.needles, lines: q.lines,
		depths: t.depths(s.Needle.Depth, len(q.needles), rng), first: rng.intn(len(t.hay.ends)),
	}
	if err := p.build(s.Length); err != nil {
		return err
	}
	for _, n := range q.needles {
		if strings.Count(p.text, n) != 1 {
			return fmt.Errorf("the haystack %s holds the needle %q itself", t.hay.name, n)
		}
	}
	s.Prompt, s.IDs = p.text, p.ids
	s.Needle.Token, s.Needle.Repeats = p.token, p.repeats
	if p.repeats > 0 {
		s.note("the haystack's text starts over %d times", p.repeats)
	}
	return s.finish(m)
}

// depths are the needles' places: the first at depth; the others anywhere, but
// those of a chain behind it and in order.
func (t *needleTask) depths(depth float64, n int, rng *random) []float64 {
	list := make([]float64, n)
	list[0] = depth
	for i := 1; i < n; i++ {
		if list[i] = 100 * rng.float(); t.name == "variable" {
			list[i] = depth + (100-depth)*list[i]/100
		}
	}
	if t.name == "variable" {
		slices.Sort(list)
	}
	return list
}

// stack builds a prompt of an exact number of tokens: head, sentences of a
// haystack with needles between them, tail.
//
// Tokens are counted on the final text, never added up from parts: parts of a
// text can have more tokens than the whole. Sums of parts only say where to
// cut and to insert; then the whole is encoded, and the last sentence of the
// haystack is shortened by words until the number is right. That takes two or
// three passes over the text at any length.
type stack struct {
	hay        *haystack
	model      Model
	head, tail string
	needles    []string
	lines      bool      // a needle takes a line of its own
	depths     []float64 // of the needles, percent
	first      int       // the haystack's sentence to begin with

	before  []int // needle i comes before sentence before[i]; atEnd: after all of them
	text    string
	ids     []int32
	token   int
	repeats int
}

// atEnd is the place of a needle behind the last, perhaps shortened, sentence.
const atEnd = math.MaxInt

func (p *stack) count(text string) (int, error) {
	ids, err := p.model.Tokenizer.Encode(text, false)
	return len(ids), err
}

func (p *stack) build(length int) error {
	bare, err := p.model.encode(p.head + strings.Join(p.needles, " ") + p.tail)
	if err != nil {
		return err
	}
	room := length - len(bare)
	if room < 0 {
		return fmt.Errorf("a prompt of %d tokens has no room: template, needle and question alone take %d", length, len(bare))
	}
	whole, err := p.place(room)
	if err != nil {
		return err
	}
	whole, left, err := p.nearly(length, whole)
	if err != nil {
		return err
	}
	whole, partial, err := p.fill(length, whole, left)
	if err != nil {
		return err
	}
	used := whole
	if partial != "" {
		used++
	}
	p.repeats = max(0, used-1) / len(p.hay.ends)

	var at int
	p.text, at = p.assemble(0, whole, partial)
	if p.ids, err = p.model.encode(p.text); err != nil {
		return err
	}
	if len(p.ids) != length {
		panic(fmt.Sprintf("datasets: a prompt of %d tokens, want %d", len(p.ids), length)) // fill has counted it
	}
	// The needle's first token is the first that the text before it does not
	// determine.
	prefix, err := p.model.encode(p.text[:at])
	if err != nil {
		return err
	}
	for p.token < len(prefix) && p.token < len(p.ids) && prefix[p.token] == p.ids[p.token] {
		p.token++
	}
	return nil
}

// place counts sentences, block by block, until room tokens are full. It
// returns how many whole sentences fit, and decides which sentence each needle
// comes before: at the boundary that is nearest to its depth.
func (p *stack) place(room int) (whole int, err error) {
	const blockBytes = 4096
	type block struct{ from, to, start, tokens int }
	var blocks []block
	total := 0
	for sentence := 0; total <= room; {
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
	// starts are the first tokens of the block's sentences, and of the sentence
	// after it.
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
	find := func(token float64) (block, []float64, error) {
		i, _ := slices.BinarySearchFunc(blocks, token, func(b block, token float64) int {
			return cmp.Compare(float64(b.start+b.tokens), token)
		})
		b := blocks[min(i, len(blocks)-1)]
		s, err := starts(b)
		return b, s, err
	}
	b, list, err := find(float64(room))
	if err != nil {
		return 0, err
	}
	for i, start := range list {
		if start <= float64(room) {
			whole = b.from + i
		}
	}
	for _, depth := range p.depths {
		target := depth / 100 * float64(room)
		b, list, err := find(target)
		if err != nil {
			return 0, err
		}
		best, distance := atEnd, float64(room)-target
		for i, start := range list {
			if d := math.Abs(start - target); b.from+i <= whole && start <= float64(room) && d < distance {
				best, distance = b.from+i, d
			}
		}
		p.before = append(p.before, best)
	}
	return whole, nil
}

// nearly changes the number of whole sentences, whose sum of tokens was only
// an estimate, until less than about a sentence is missing. It returns the
// number and the tokens that are missing.
func (p *stack) nearly(length, whole int) (sentences, left int, err error) {
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
		for left > 0 { // only up: a sentence that was dropped does not fit
			n, err := p.count(p.hay.sentence(p.first + whole))
			if err != nil {
				return 0, 0, err
			}
			if guess -= n; guess < 0 {
				break
			}
			whole++
		}
		// Where the parts of a text have other numbers of tokens than the whole,
		// the last sentence may fit by one count and not by the other.
		if left >= 0 && (whole == was || round >= 4) {
			return was, left, nil
		}
		if whole == was {
			return 0, 0, fmt.Errorf("a prompt of %d tokens has no room: without a haystack it takes %d", length, len(ids))
		}
	}
	return 0, 0, fmt.Errorf("a prompt of %d tokens can't be filled with sentences of %s", length, p.hay.name)
}

// fill finds a shortened sentence that makes the prompt exactly length tokens
// long, where left tokens are missing behind whole sentences. The text that
// follows is shortened by words; where no number of words fits, text from
// another sentence near the end takes its place, or of fewer whole sentences;
// then words are cut too, then the period goes, and at last periods alone must
// do. It returns the number of whole sentences and the text behind them.
func (p *stack) fill(length, whole, left int) (sentences int, partial string, err error) {
	if left == 0 {
		return whole, "", nil
	}
	// Candidates are counted on the end of the text alone, and the first that
	// fits there on the whole.
	const back, ahead = 6, 4
	from := max(0, whole-back-4)
	local := func(sentences int, partial string) (int, error) {
		text, _ := p.assemble(from, sentences, partial)
		return p.count(text)
	}
	target, err := local(whole, "")
	if err != nil {
		return 0, "", err
	}
	target += left
	misses, missed, inRow := 0, 0, 0
	// A piece must be long enough to take the place of the sentences dropped
	// and of those left to fill.
	enough := len(p.hay.sentences(p.first+max(from, whole-back), p.first+whole+1)) + 64
	for _, cuts := range []func(sentence string) []string{byWords, byRunes, byRunesBare, periods} {
		for sentences := whole; sentences >= max(from, whole-back); sentences-- {
			for next := sentences; next <= whole+ahead; next++ {
				to := next + 1
				for len(p.hay.sentences(p.first+next, p.first+to)) < enough {
					to++
				}
				candidates := cuts(p.hay.sentences(p.first+next, p.first+to))
				start := sort.Search(len(candidates), func(i int) bool {
					n, e := local(sentences, candidates[i])
					err = cmp.Or(err, e)
					return e != nil || n >= target
				})
				if err != nil {
					return 0, "", err
				}
				for _, partial := range candidates[max(0, start-2):] {
					n, err := local(sentences, partial)
					if err != nil {
						return 0, "", err
					}
					if n > target+4 {
						break
					}
					if n != target {
						continue
					}
					text, _ := p.assemble(0, sentences, partial)
					ids, err := p.model.encode(text)
					if err != nil {
						return 0, "", err
					}
					if len(ids) == length {
						return sentences, partial, nil
					}
					// One candidate may be counted differently at the end of the
					// whole text; three in a row say that all are.
					switch diff := length - len(ids); {
					case diff != missed:
						missed, inRow = diff, 1
					case inRow < 2:
						inRow++
					default:
						target, missed, inRow = target+diff, 0, 0
					}
					if misses++; misses > 100 {
						return 0, "", fmt.Errorf("a prompt of exactly %d tokens can't be made: "+
							"the tokenizer counts the end of the text apart and as part of it differently", length)
					}
				}
			}
		}
	}
	return 0, "", fmt.Errorf("a prompt of exactly %d tokens can't be made: no end of the haystack %s fits", length, p.hay.name)
}

// byWords are a sentence's first words, one, two … all of them, each ended by
// a period.
func byWords(sentence string) []string {
	var list []string
	start := len(sentence) - len(strings.TrimLeftFunc(sentence, unicode.IsSpace))
	for i := start; i < len(sentence); {
		n := strings.IndexFunc(sentence[i:], unicode.IsSpace)
		if n < 0 {
			n = len(sentence) - i
		}
		i += n
		list = appendEnded(list, sentence[:i], ".")
		i += len(sentence[i:]) - len(strings.TrimLeftFunc(sentence[i:], unicode.IsSpace))
	}
	return list
}

// byRunes are a sentence's beginnings by characters, each ended by a period.
func byRunes(sentence string) []string { return beginnings(sentence, ".") }

// byRunesBare are a sentence's beginnings by characters.
func byRunesBare(sentence string) []string { return beginnings(sentence, "") }

// periods are rows of periods, whatever the sentence.
func periods(string) []string {
	list := make([]string, 32)
	for i := range list {
		list[i] = strings.Repeat(".", i+1)
	}
	return list
}

func beginnings(sentence, period string) []string {
	var list []string
	for i := range sentence {
		list = appendEnded(list, sentence[:i], period)
	}
	return appendEnded(list, sentence, period)
}

// appendEnded adds a cut sentence, less the marks it happens to end in, with a
// period.
func appendEnded(list []string, cut, period string) []string {
	cut = strings.TrimRightFunc(cut, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsPunct(r) })
	if strings.TrimSpace(cut) == "" {
		return list
	}
	return append(list, cut+period)
}

// assemble joins the prompt from sentence from of the haystack: whole
// sentences up to whole, partial after them. From 0 it is the whole prompt,
// and the first needle begins at the offset at (with the space before it,
// which many vocabularies make part of the word).
func (p *stack) assemble(from, whole int, partial string) (text string, at int) {
	var b strings.Builder
	if from == 0 {
		b.WriteString(p.head)
	}
	const ( // what was written last
		nothing = iota
		prose
		needle
	)
	last := nothing
	write := func(text string) {
		switch {
		case text == "":
			return
		case last == nothing && from == 0:
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		case last == needle && p.lines:
			b.WriteString("\n")
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		case last == needle && strings.TrimLeftFunc(text, unicode.IsSpace) == text:
			b.WriteString(" ")
		}
		b.WriteString(text)
		last = prose
	}
	hide := func(i int) {
		if i == 0 {
			at = b.Len()
		}
		switch {
		case last == nothing && from == 0:
		case p.lines:
			b.WriteString("\n")
			if i == 0 {
				at = b.Len()
			}
		default:
			b.WriteString(" ")
		}
		b.WriteString(p.needles[i])
		last = needle
	}
	place := func(i int) int { // a sentence that is only there in part does not divide needles from the end
		if p.before[i] > whole {
			return atEnd
		}
		return p.before[i]
	}
	order := make([]int, len(p.needles))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(place(i), place(j)), cmp.Compare(p.depths[i], p.depths[j]))
	})
	sentence := from
	for _, i := range order {
		if place(i) < from {
			continue
		}
		if place(i) != atEnd {
			write(p.hay.sentences(p.first+sentence, p.first+place(i)))
			sentence = place(i)
			hide(i)
		}
	}
	write(p.hay.sentences(p.first+sentence, p.first+whole))
	write(partial)
	for _, i := range order {
		if place(i) == atEnd {
			hide(i)
		}
	}
	b.WriteString(p.tail)
	return b.String(), at
}
