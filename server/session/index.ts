/// <reference types="node" preserve="true" />
// All that the published package php-session-chat/session exports.
export { type FormatName, formats } from './formats/formats.ts';
export {
  FormatError,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
} from './formats/value.ts';
export type { SessionUser } from './identity.ts';
export { openSessions, type SessionOptions, type Sessions } from './open-sessions.ts';
export type { LiveSession, Refusal, RefusalCode } from './read-session.ts';
export { StoreError } from './store.ts';
export type { Look } from './verdict.ts';
