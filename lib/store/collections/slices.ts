/** How much more may be done in the running turn: 1 for what takes some 20 ns. Work that is cut into slices takes from it. */
export interface Room {
  left: number;
}
