import { Component } from 'preact';
import type { Context } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Thumbnail } from './thumbnail.tsx';

/** Maximum number of characters that the server accepts. */
const LONGEST = 250;

interface Props {
  readonly context: Context;
  /** The picture; undefined if only the server has it. */
  readonly source: Blob | undefined;
  readonly alt: string;
  save(alt: string): void;
  close(): void;
}

/** The dialog that describes a picture for users who cannot see it. */
export class Describe extends Component<Props, { alt: string }> {
  constructor(props: Props) {
    super(props);
    this.state = { alt: props.alt };
  }

  override render({ context, source, alt: before, close }: Props) {
    const { strings } = context;
    const { alt } = this.state;
    return (
      <FormDialog
        context={context}
        title={strings.text('file.altTitle')}
        typed={alt !== before}
        label={strings.text('common.save')}
        submit={this.#save}
        close={close}
      >
        {source !== undefined && (
          <div class="imgs n1 half">
            <Thumbnail source={source} />
          </div>
        )}
        <label class="label" for="alt">
          {strings.text('file.altLabel')}
        </label>
        <textarea
          class="input"
          id="alt"
          rows={2}
          maxLength={LONGEST}
          value={alt}
          onInput={({ currentTarget: { value } }) =>
            this.setState({ alt: [...value.replace(/\s+/gu, ' ')].slice(0, LONGEST).join('') })
          }
        />
      </FormDialog>
    );
  }

  readonly #save = () => {
    this.props.save(this.state.alt.trim());
    this.props.close();
  };
}
