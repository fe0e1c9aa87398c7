// Package observe measures what SnapKV's paper (arXiv 2404.14469v2) shows about attention before it proposes
// anything: whether windows of the prompt vote for what the generation will attend to (§3, Fig. 2), whether that
// holds along the generation (§3, Fig. 3), and how much of the generation's attention a compressed cache keeps,
// beside the most that any set of its size could.
//
// It runs on any device, through the engine's operations: no n × n matrix is ever held. [Run] reads the prompt with the
// variants and the full cache, and decodes the forced text; queries of the prompt's windows and of each step stay on the
// device. Then each layer is reduced there, over the full cache's keys: a window's rows to their sum by position and the
// positions that it votes for; the forced text's rows, some at a time, to sums and counts by position and quarter, and to
// what each row's own highest attentions add up to. What leaves is a few numbers by head and position, and the studies are
// masked sums of them, on the host while the device is at the next layer.
//
// Three words are used throughout. The forced text g₀ … g_{T-1} is the model's own greedy answer under the full cache;
// row t is the query of g_t at position n+t, over all keys that it sees. An attention is important where it is above
// [Settings.Important]. A sink of a head is a position that every window behind it attends to with more than
// [Settings.Sink] on average; content is all that is no sink and lies before the last window. Hit rates near 1 mean
// only that sinks are kept, which every policy does, and so each has a form over content alone.
package observe
