import { isBlank } from '../../../../server/text/blank.ts';
import type { Strings } from '../../strings/strings.ts';
import { codePoints } from '../../text/paste.ts';
import { TextField } from '../controls/dialog.tsx';

const LONGEST_NAME = 80;
const LONGEST_TOPIC = 250;

/** The fields for a room's name and topic, with their errors. */
export class RoomFields {
  name: string;
  topic: string;
  error: string | undefined;
  readonly #strings: Strings;
  readonly #changed: () => void;

  constructor(strings: Strings, changed: () => void, name = '', topic = '') {
    this.#strings = strings;
    this.#changed = changed;
    this.name = name;
    this.topic = topic;
  }

  /** Whether the fields are valid. Sets the error of an invalid name. */
  check(): boolean {
    this.name = this.name.trim();
    this.topic = this.topic.trim();
    const long = codePoints(this.name) > LONGEST_NAME;
    if (isBlank(this.name)) this.fail('create.noName');
    else if (long) this.fail('create.nameLong');
    return this.error === undefined && codePoints(this.topic) <= LONGEST_TOPIC;
  }

  fail(key: 'create.noName' | 'create.nameLong' | 'create.taken'): void {
    this.error = this.#strings.text(key);
    this.#changed();
  }

  draw(readOnly: boolean) {
    const over = codePoints(this.topic) - LONGEST_TOPIC;
    return (
      <>
        <TextField
          id="room-name"
          label={this.#strings.text('create.name')}
          value={this.name}
          readOnly={readOnly}
          error={this.error}
          typed={(value) => {
            this.name = value;
            this.error = undefined;
            this.#changed();
          }}
        />
        <TextField
          id="room-topic"
          label={this.#strings.text('create.topic')}
          optional={this.#strings.text('create.optional')}
          value={this.topic}
          readOnly={readOnly}
          error={over > 0 ? this.#strings.count('composer.tooMany', over) : undefined}
          typed={(value) => {
            this.topic = value;
            this.#changed();
          }}
        />
      </>
    );
  }
}
