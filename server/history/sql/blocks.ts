/** Messages of a room that stand in the index for searching together. */
export const blockSize = 128;

export const blockOf = (seq: number): number => Math.floor((seq - 1) / blockSize);
