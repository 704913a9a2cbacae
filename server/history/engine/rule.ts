import { RequestError, type RequestErrorCode } from '../../wire/errors.ts';
import type { Operation } from './work.ts';

export type Code =
  | 'conflict'
  | 'unknown_room'
  | 'unknown_message'
  | 'unknown_user'
  | 'unknown_file'
  | 'forbidden'
  | 'limit_reached';

export type Nothing = Record<string, never>;

/** The rule of a write. */
export type Rule<Of extends { in: unknown; out: unknown }> = Operation<Of['in'], Of['out']>;

/** The rules of writes such as `PinWrites`. */
export type RulesOf<Writes> = {
  readonly [Name in keyof Writes]: Writes[Name] extends { in: unknown; out: unknown }
    ? Rule<Writes[Name]>
    : never;
};

export function refuse(code: RequestErrorCode, detail?: string): never {
  throw new RequestError(code, detail);
}
