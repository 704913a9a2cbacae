import type { OpenContainer } from './container.ts';
import { filesContainer } from './files.ts';
import { memoryContainer } from './memory.ts';
import { sqliteContainer } from './sqlite.ts';

/** By the form of SESSION_SERVER_CONTAINER. A new container is one file, and one line here. */
export const containers: Readonly<Record<string, OpenContainer>> = {
  'memory:': memoryContainer,
  'file:PATH': filesContainer,
  'sqlite:PATH': sqliteContainer,
};

/** @returns null when no container has this form */
export function containerOf(url: string): { open: OpenContainer; path: string } | null {
  for (const [form, open] of Object.entries(containers)) {
    const scheme = form.replace('PATH', '');
    const path = url.slice(scheme.length);
    if (url.startsWith(scheme) && (form !== scheme) === (path !== '')) return { open, path };
  }
  return null;
}
