import { Component } from 'preact';
import { isBlank } from '../../../../server/text/blank.ts';
import { mostOptions } from '../../../../server/wire/polls.ts';
import { newId } from '../../chat/outbox.ts';
import type { Room } from '../../store/room.ts';
import { codePoints } from '../../text/paste.ts';
import type { Context } from '../context.ts';
import { fromField } from '../controls/date-fields.ts';
import { Problem, TextField } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Choice } from '../controls/rows.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';

const LONGEST_OPTION = 100;
const LONGEST_PLACE = 250;
const HOUR = 3_600_000;
/** When a poll can end, in hours and in the unit that the choice names. */
const ENDS = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR } as const;
const units = ['hour', 'day', 'week'] as const;

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** Whether to make an event instead of a poll. */
  readonly event: boolean;
  /** A question and its options, to begin with. */
  readonly text?: string;
  readonly options?: readonly string[];
  close(): void;
  /** Called when the poll was sent. */
  sent?(): void;
}

/** The dialog that sends a poll or an event to a room. */
export class NewPoll extends Component<Props> {
  #text = this.props.text ?? '';
  /** The last option is empty, until there are ten. */
  #options = [...(this.props.options ?? []), '', ''].slice(0, mostOptions);
  #multiple = false;
  #anonymous = false;
  #ends: keyof typeof ENDS | '' = '';
  #start = '';
  #end = '';
  #place = '';
  /** Retries with the same fields reuse `clientId` and `until`, so that the server does not send the poll twice. */
  #attempt: { readonly fields: string; readonly clientId: string; readonly until: object } | undefined;
  readonly #submission = new Submission(this.props.context);

  override render({ context, event, close }: Props) {
    const { strings, chat } = context;
    const busy = this.#submission.busy;
    const over = codePoints(this.#text) - chat.limits.text;
    return (
      <FormDialog
        context={context}
        title={strings.text(event ? 'poll.newEvent' : 'poll.new')}
        typed={[this.#text, ...this.#options, this.#place].some((text) => text !== '')}
        submission={this.#submission}
        label={strings.text('composer.send')}
        ready={this.#poll() !== undefined}
        submit={this.#submit}
        close={close}
      >
        <TextField
          id="poll-text"
          label={strings.text(event ? 'create.name' : 'poll.question')}
          value={this.#text}
          readOnly={busy}
          error={over > 0 ? strings.count('composer.tooMany', over) : undefined}
          next={event ? undefined : 'poll-option-1'}
          typed={this.#typed((value) => {
            this.#text = value;
          })}
        />
        {event ? this.#event(busy) : this.#choices(busy)}
      </FormDialog>
    );
  }

  #choices(busy: boolean) {
    const { strings } = this.props.context;
    const format = new Intl.RelativeTimeFormat(strings.locale);
    return (
      <>
        {this.#options.map((option, n) => {
          const over = codePoints(option.trim()) - LONGEST_OPTION;
          const first = this.#options.findIndex((other) => other.trim() === option.trim());
          const isTwice = first < n && !isBlank(option);
          return (
            <TextField
              id={`poll-option-${n + 1}`}
              key={n}
              label={strings.text('poll.option', { n: n + 1 })}
              value={option}
              readOnly={busy}
              error={
                over > 0
                  ? strings.count('composer.tooMany', over)
                  : isTwice
                    ? strings.text('poll.same', { n: first + 1 })
                    : undefined
              }
              next={option === '' || n + 1 === this.#options.length ? undefined : `poll-option-${n + 2}`}
              typed={this.#typed((value) => {
                this.#options[n] = value;
                if (this.#options.at(-1) !== '' && this.#options.length < mostOptions) this.#options.push('');
              })}
            />
          );
        })}
        <fieldset disabled={busy}>
          <label class="choice">
            <input
              type="checkbox"
              checked={this.#multiple}
              onChange={() => {
                this.#multiple = !this.#multiple;
                this.props.context.changed();
              }}
            />
            <div>{strings.text('poll.multiple')}</div>
          </label>
          <label class="choice">
            <input
              type="checkbox"
              checked={this.#anonymous}
              onChange={() => {
                this.#anonymous = !this.#anonymous;
                this.props.context.changed();
              }}
            />
            <div>{strings.text('poll.anonymous')}</div>
          </label>
        </fieldset>
        <label class="label" for="poll-end">
          {strings.text('poll.ends')}
        </label>
        <Choice
          id="poll-end"
          disabled={busy}
          chosen={this.#ends}
          options={[
            ['', strings.text('poll.never')],
            ...units.map((unit) => [unit, format.format(1, unit)] as const),
          ]}
          choose={(ends) => {
            this.#ends = ends;
            this.props.context.changed();
          }}
        />
      </>
    );
  }

  #event(busy: boolean) {
    const { strings } = this.props.context;
    const over = codePoints(this.#place) - LONGEST_PLACE;
    const optional = strings.text('create.optional');
    return (
      <>
        {this.#time('start', this.#start, busy, (value) => {
          this.#start = value;
        })}
        {this.#time('end', this.#end, busy, (value) => {
          this.#end = value;
        })}
        <TextField
          id="event-place"
          label={strings.text('event.place')}
          optional={optional}
          value={this.#place}
          readOnly={busy}
          error={over > 0 ? strings.count('composer.tooMany', over) : undefined}
          typed={this.#typed((value) => {
            this.#place = value;
          })}
        />
      </>
    );
  }

  #time(name: 'start' | 'end', value: string, busy: boolean, typed: (value: string) => void) {
    const { strings } = this.props.context;
    const isEarly = name === 'end' && this.#endsEarly;
    return (
      <>
        <label class="label" for={`event-${name}`}>
          {strings.text(`event.${name}`)}
          {name === 'end' && <small> · {strings.text('create.optional')}</small>}
        </label>
        <input
          class="input"
          id={`event-${name}`}
          type="datetime-local"
          value={value}
          min={name === 'end' ? this.#start : undefined}
          readOnly={busy}
          aria-invalid={isEarly || undefined}
          aria-describedby={isEarly ? 'event-end-error' : undefined}
          onInput={(event) => this.#typed(typed)(event.currentTarget.value)}
        />
        {isEarly && <Problem id="event-end-error" text={strings.text('event.endsEarly')} />}
      </>
    );
  }

  readonly #typed = (set: (value: string) => void) => (value: string) => {
    set(value);
    this.props.context.changed();
  };

  get #endsEarly(): boolean {
    const [start, end] = [fromField(this.#start), fromField(this.#end)];
    return start !== undefined && end !== undefined && end < start;
  }

  /** The options that are not empty, without blanks around them. */
  get #filled(): string[] {
    return this.#options.map((option) => option.trim()).filter((option) => !isBlank(option));
  }

  /** Undefined while the form is incomplete or wrong. */
  #poll() {
    const { context, event } = this.props;
    if (isBlank(this.#text) || codePoints(this.#text) > context.chat.limits.text) return undefined;
    if (event) {
      const [start, end] = [fromField(this.#start), fromField(this.#end)];
      const place = this.#place.trim();
      if (start === undefined || this.#endsEarly) return undefined;
      if (codePoints(place) > LONGEST_PLACE) return undefined;
      return {
        event: {
          start,
          end,
          place: isBlank(place) ? undefined : place,
        },
      };
    }
    const options = this.#filled;
    if (options.length < 2 || new Set(options).size < options.length) return undefined;
    if (options.some((option) => codePoints(option) > LONGEST_OPTION)) return undefined;
    return {
      options,
      multiple: this.#multiple ? (true as const) : undefined,
      anonymous: this.#anonymous ? (true as const) : undefined,
    };
  }

  readonly #submit = () => {
    const { context, room, close, sent } = this.props;
    const { chat, strings } = context;
    const poll = this.#poll();
    if (poll === undefined) return;
    const text = this.#text.trim();
    const fields = JSON.stringify([text, poll, this.#ends]);
    if (this.#attempt?.fields !== fields) {
      const until = this.#ends === '' ? {} : { until: chat.clock.now + ENDS[this.#ends] };
      this.#attempt = { fields, clientId: newId(), until };
    }
    const { clientId, until } = this.#attempt;
    void this.#submission.run(
      () =>
        chat.request('message:send', {
          room: room.id,
          text,
          clientId,
          poll: { ...poll, ...until },
        }),
      (answer) => {
        sent?.();
        close();
        // The author may have read older messages.
        if ('message' in answer) context.jump(answer.message);
      },
      (error) => refusal(error, strings),
    );
  };
}
