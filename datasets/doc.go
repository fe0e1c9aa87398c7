// Package datasets turns tasks into prompts. A task is a needle test, a set of LongBench, or
// a file of prompts; it gives [Sample]s, each with the token ids that a model reads, the
// answers that it is graded by, and the rules for when it stops.
//
// A [Task] is opened by name with [Open]. It holds the text in memory and builds samples one
// at a time, because a prompt of a million tokens is large. A sample depends only on its
// task, its number and the [Model], never on the samples built before it.
//
// A [Protocol] says how a row of LongBench becomes a prompt: template, truncation, chat
// template, beginning-of-text token, least and most new tokens, end tokens. Published
// programs differ in all of these, and therefore in their scores.
//
// A sample that cannot be built is a Sample with Err set, and becomes a row with an error,
// not a gap. A file that cannot be read, or a row that breaks its schema, is an error of
// Open that names file and line.
package datasets
