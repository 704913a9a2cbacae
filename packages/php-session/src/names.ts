import type { OptionName } from './options.ts';

/** What a program calls this package's options and commands. Messages tell its users what to change in these words. */
export interface Names {
  option(name: OptionName): string;
  /** How to print the rights that the database user needs. */
  grants: string;
}

let names: Names = { option: (name) => name, grants: '`grants()`' };

/** Sets the names for all messages of this process. Call it before opening sessions. */
export function useNames(own: Names): void {
  names = own;
}

export const option = (name: OptionName): string => names.option(name);
export const grantsCommand = (): string => names.grants;
