package cluster

// Placer is an engine whose machines may see the run's folder under another path than this
// machine does, or which alone sees it.
type Placer interface {
	// Place sets w.Out and w.Unseen from the folder that the user named and w.Claim. An
	// error says how the two do not fit.
	Place(out string, w *Work) error
}
