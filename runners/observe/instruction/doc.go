// Package instruction measures how far attention on a text depends on what is asked of it (SnapKV, arXiv 2404.14469v2,
// §4.2): whether two questions about one context vote for the same positions of it (Fig. 4), whether the context's own
// end would have voted for them, how much of what a policy keeps for one question it keeps for the other, and whether the
// prompt's last window shows what the response attends to, with the question behind the context and before it (Fig. 5).
//
// Every sum is taken on the device, by rows of queries over all keys that they see; (heads, n) numbers leave it at a time.
package instruction
