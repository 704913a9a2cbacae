import { codePoints } from '../../text/paste.ts';
import { pollIn } from '../../text/poll-in-text.ts';
import type { Context, StripProps } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import { laterOf } from '../later/later.tsx';
import { ClashStrip } from './clash.tsx';
import { LinkStrip } from './link-strip.tsx';
import { quotation } from './quotation.ts';

/** The strips above the field: the message to reply to or edit, the link that gets a preview, and offers. */
export function strip(props: StripProps, context: Context) {
  const { room, edit, text, change } = props;
  const shows = edit === undefined && context.chat.can.previews && room.summary.previews === undefined;
  return (
    <>
      {answered(props, context)}
      {edit === undefined && laterOf(context)?.line(room)}
      {shows && <LinkStrip context={context} text={text} close={() => change({ preview: false })} />}
      {importance(props, context)}
      {edit === undefined && (asFile(props, context) ?? offer(props, context))}
    </>
  );
}

/** Shows that the message is important. The author of an edit can also mark it here. */
function importance({ edit, important, change }: StripProps, { chat, strings }: Context) {
  if (!important && (edit === undefined || edit.clash !== undefined || chat.isGuest)) return null;
  return (
    <div class="context" key="important">
      <Icon name="important" size="s" />
      <div>
        {important ? (
          strings.text('msg.important')
        ) : (
          <button type="button" class="link" onClick={() => change({ important: true })}>
            {strings.text('important.mark')}
          </button>
        )}
      </div>
      {important && (
        <IconButton
          name="close"
          label={strings.text('important.unmark')}
          press={() => change({ important: false })}
        />
      )}
    </div>
  );
}

/** Offers to send a text that asks readers to choose an emoji as a poll, which empties the draft. */
function offer({ room, thread, replyTo, text }: StripProps, { dialog, strings }: Context) {
  // A poll cannot be a reply.
  const asked = thread === undefined && replyTo === undefined ? pollIn(text) : null;
  if (asked === null) return null;
  return (
    <div class="context">
      <Icon name="poll" size="s" />
      <button
        type="button"
        class="link"
        onClick={({ currentTarget }) => {
          const field = currentTarget.closest('.field')?.querySelector('textarea');
          dialog({ kind: 'poll', room, event: false, ...asked, sent: () => field && empty(field) });
        }}
      >
        {strings.text('poll.new')}
      </button>
    </div>
  );
}

/** Offers to send a text that is too long as a file. The text stays in the field until the server has the file. */
function asFile({ room, thread, text }: StripProps, { chat, strings, attach }: Context) {
  if (codePoints(text) <= chat.limits.text || !chat.can.files) return null;
  return (
    <div class="context">
      <Icon name="file" size="s" />
      <div>
        <button
          type="button"
          class="link"
          onClick={({ currentTarget, detail }) => {
            // The second click of a double click would attach the text twice.
            if (detail > 1) return;
            const field = currentTarget.closest('.field')?.querySelector('textarea');
            const file = new File([text], 'text.txt', { type: 'text/plain' });
            attach({ room, thread }, { files: [file] }, () => field?.value === text && empty(field));
          }}
        >
          {strings.text('composer.asFile')}
        </button>
      </div>
    </div>
  );
}

function empty(field: HTMLTextAreaElement): void {
  field.value = '';
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

/** The characters of a name that fit above the field of a phone. */
const MIXED_NAME = 18;

function answered(props: StripProps, context: Context) {
  const { room, edit, replyTo, cancel } = props;
  const { chat, strings } = context;
  const editing = edit !== undefined;
  if (!editing && replyTo === undefined) return null;
  if (edit?.clash !== undefined)
    return <ClashStrip key="clash" context={context} {...props} clash={edit.clash} />;
  const message = replyTo === undefined ? undefined : room.timeline.get(replyTo);
  if (replyTo !== undefined && message === undefined && room.readable) void chat.sync.askQuote(room, replyTo);
  const { name, line } = quotation(message, context);
  const [before, after] = strings.text('composer.replyTo').split('{name}');
  return (
    <div class="context" key={String(editing)}>
      <Icon name={editing ? 'edit' : 'reply'} size="s" />
      <div>
        {editing
          ? strings.text('composer.editing')
          : [
              before,
              <b key="name">
                <bdi>{strings.cutMixed(name, MIXED_NAME)}</bdi>
              </b>,
              `${after ?? ''} · ${line}`,
            ]}
      </div>
      <IconButton
        name="close"
        label={strings.text(editing ? 'composer.cancelEdit' : 'composer.cancelReply')}
        press={cancel}
      />
    </div>
  );
}
