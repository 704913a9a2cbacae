// The public interface of the package php-session-server.
import type { OpenContainer } from './containers/container.ts';
import { filesContainer } from './containers/files.ts';
import { memoryContainer } from './containers/memory.ts';
import { sqliteContainer } from './containers/sqlite.ts';

export type { OpenContainer } from './containers/container.ts';
export { defaultSocket, type SessionServer, type Settings, startSessionServer, type Warn } from './server.ts';

/** The containers by the form of their URL. To add one, write a file in `containers/` and a line here. */
export const containers: Readonly<Record<string, OpenContainer>> = {
  'memory:': memoryContainer,
  'file:PATH': filesContainer,
  'sqlite:PATH': sqliteContainer,
};
