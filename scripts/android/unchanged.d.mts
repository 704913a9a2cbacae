export declare function makeIfChanged(
  output: string,
  inputs: string[],
  make: () => Promise<unknown>,
): Promise<void>;
