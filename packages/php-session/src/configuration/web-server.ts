import type { PhpDirective } from './php-fpm.ts';
import type { System } from './system.ts';
import { ConfigurationError } from './value.ts';

/** A line or block of a web server's configuration. */
export interface Directive {
  /** In lower case. */
  name: string;
  args: readonly string[];
  file: string;
  line: number;
  /** The content of a block. Undefined for a line. */
  block?: Directive[];
}

/** The PHP that a web server uses for a site. */
export interface PhpHandler {
  /** The address of PHP-FPM. Undefined for the Apache module. */
  fpm: string | undefined;
  /** The PHP settings of the web server, in PHP's order. */
  directives: readonly PhpDirective[];
}

/** A site of a web server. */
export interface WebSite {
  /** The folder of its pages. */
  root: string;
  handlers: readonly PhpHandler[];
}

export const maxNesting = 20;

/** Finds the sites whose root is in the folder. Without such a site, finds the sites with the nearest root above it. */
export async function findSites<Site extends WebSite>(
  system: System,
  sites: readonly Site[],
  folder: string,
): Promise<Site[]> {
  const inside: Site[] = [];
  let around: Site[] = [];
  let longest = 0;
  for (const site of sites) {
    const root = (await system.real(site.root)).replace(/(.)\/+$/, '$1');
    if (root === folder || root.startsWith(`${folder}/`)) inside.push(site);
    else if (folder.startsWith(root === '/' ? root : `${root}/`)) {
      if (root.length > longest) around = [];
      longest = Math.max(longest, root.length);
      if (root.length === longest) around.push(site);
    }
  }
  return inside.length > 0 ? inside : around;
}

export function nestingError({ file, line }: Pick<Directive, 'file' | 'line'>): ConfigurationError {
  return new ConfigurationError(`${file} line ${line}: the sections or included files are nested too deeply`);
}
