import { Component, type ComponentChildren } from 'preact';
import type { ControlContext } from '../context.ts';
import { TextField } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Segments } from '../controls/rows.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';

/** Durations in seconds; undefined is permanent. */
const TIMES = { hour: 3600, day: 86_400, week: 604_800, forever: undefined } as const;
const LONGEST_REASON = 250;

export interface Restriction {
  seconds?: number;
  reason?: string;
}

interface Props {
  readonly context: ControlContext;
  readonly how: 'mute' | 'ban';
  /** Display names of the user and the room. */
  readonly name: string;
  readonly room: string;
  /** Replaces the default text, which names the room. */
  readonly text?: string;
  /** Replaces the default label of the button, for example if the button does more than mute or ban. */
  readonly label?: string;
  /** More choices, shown above the duration. */
  readonly children?: ComponentChildren;
  /** Whether a reason can be given. */
  readonly reasoned: boolean;
  /** Describes and lifts the current mute. Absent if the user is not muted. */
  readonly muted?: { readonly words?: string; lift(): Promise<void> } | undefined;
  run(restriction: Restriction): Promise<void>;
  close(): void;
}

/** The dialog for the duration and the reason of a mute or ban. */
export class Restrict extends Component<Props> {
  #time: keyof typeof TIMES = 'day';
  #reason = '';
  readonly #submission = new Submission(this.props.context);

  override render({ context, how, name, room, text, label, children, reasoned, muted, close }: Props) {
    const { strings, changed } = context;
    const ban = how === 'ban';
    const howLong = strings.text('mute.howLong');
    const over = [...this.#reason].length - LONGEST_REASON;
    return (
      <FormDialog
        context={context}
        title={strings.text(ban ? 'ban.title' : 'mute.title', { name })}
        low
        typed={this.#reason !== ''}
        submission={this.#submission}
        label={label ?? strings.text(ban ? 'ban.submit' : 'mute.submit')}
        bad
        submit={this.#submit}
        close={close}
      >
        <p class="hint flat">{text ?? strings.text(ban ? 'ban.text' : 'mute.text', { name, room })}</p>
        {muted !== undefined && (
          <div class="ends">
            {muted.words !== undefined && <p class="hint">{muted.words}</p>}
            <button type="button" class="btn" onClick={() => this.#run(muted.lift)}>
              {strings.text('mute.end')}
            </button>
          </div>
        )}
        {children}
        <p class="label">{howLong}</p>
        <Segments
          label={howLong}
          chosen={this.#time}
          options={(Object.keys(TIMES) as (keyof typeof TIMES)[]).map((time) => [
            time,
            strings.text(`mute.${time}`),
          ])}
          choose={(time) => {
            this.#time = time;
            changed();
          }}
        />
        {reasoned && (
          <TextField
            id="restrict-reason"
            label={strings.text('mute.reason', { name })}
            optional={strings.text('create.optional')}
            value={this.#reason}
            readOnly={this.#submission.busy}
            error={over > 0 ? strings.count('composer.tooMany', over) : undefined}
            typed={(value) => {
              this.#reason = value;
              changed();
            }}
          />
        )}
      </FormDialog>
    );
  }

  readonly #submit = () => {
    const reason = this.#reason.trim();
    if ([...reason].length > LONGEST_REASON) return;
    const seconds = TIMES[this.#time];
    const restriction = {
      seconds,
      reason: reason || undefined,
    };
    this.#run(() => this.props.run(restriction));
  };

  #run(task: () => Promise<void>): void {
    const { context, close } = this.props;
    void this.#submission.run(task, close, (error) => refusal(error, context.strings));
  }
}
