// Package datasets turns tasks into prompts: it takes what is asked (a needle
// test, a set of LongBench, a file of prompts) and gives [Sample]s, each with
// the token ids that a model reads, the answers it is held to, and the rules
// for when it stops.
//
// A [Task] is opened by name with [Open] and builds its samples one at a time,
// because a prompt of a million tokens is large: what is held in memory is the
// text, not the prompts. A sample depends on its task, its number and the
// [Model] alone, never on the samples built before it.
//
// How a data set's row becomes a prompt (template, truncation, chat template,
// beginning-of-text token, least and most new tokens, end tokens) is a
// [Protocol], by name, because published harnesses differ in all of these and
// their scores with them.
//
// A sample that can't be built is a Sample with its Err set, so that it becomes
// a row with an error instead of a gap. Files that can't be read, or rows that
// break their schema, are errors of Open that name file and line.
package datasets
