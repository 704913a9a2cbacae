import type { PhpDirective } from './php-fpm.ts';
import type { System } from './system.ts';
import { ConfigurationError } from './value.ts';

/** A line of a web server's configuration, or a block with its lines. */
export interface Directive {
  /** In small letters. */
  name: string;
  args: readonly string[];
  file: string;
  line: number;
  /** Undefined for a line. */
  block?: Directive[];
}

/** A way in which a web server runs the PHP of a site. */
export interface PhpHandler {
  /** The address of PHP-FPM, as the web server names it; undefined for the module of Apache. */
  fpm: string | undefined;
  /** The settings of the web server for PHP, in the order in which PHP takes them. */
  directives: readonly PhpDirective[];
}

/** A site of a web server. */
export interface WebSite {
  /** The folder of its pages. */
  root: string;
  handlers: readonly PhpHandler[];
}

/** Blocks in each other. */
export const deepest = 20;

/** The sites whose pages are in a folder, or else those that the folder is nearest to. */
export async function sitesOf<Site extends WebSite>(
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

export function tooDeep({ file, line }: Pick<Directive, 'file' | 'line'>): ConfigurationError {
  return new ConfigurationError(`${file} line ${line}: nested too deeply`);
}
