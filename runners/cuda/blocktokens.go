package cuda

// BlockTokens is how many tokens of a prompt go through a layer at a time. With so many,
// large products run at their full rate, and the attention of 32 heads is 66·32 tiles of
// 128 queries: exactly 16 for each of 132 multiprocessors.
const BlockTokens = 66 * 128
