(({ blockEditor, blocks, components, element: { createElement }, i18n: { __ } }) => {
  const { InspectorControls, useBlockProps } = blockEditor;
  const { PanelBody, Placeholder, SelectControl, TextControl } = components;

  blocks.registerBlockType('php-session-chat/chat', {
    edit({ attributes: { room, theme }, setAttributes }) {
      return createElement(
        'div',
        useBlockProps(),
        createElement(
          InspectorControls,
          null,
          createElement(
            PanelBody,
            { title: __('Settings', 'php-session-chat') },
            createElement(TextControl, {
              label: __('Room', 'php-session-chat'),
              help: __('The ID of the room to open. Empty: the list of rooms.', 'php-session-chat'),
              value: room,
              onChange: (value) => setAttributes({ room: value }),
            }),
            createElement(SelectControl, {
              label: __('Theme', 'php-session-chat'),
              value: theme,
              options: [
                { value: '', label: __('As the page', 'php-session-chat') },
                { value: 'light', label: __('Light', 'php-session-chat') },
                { value: 'dark', label: __('Dark', 'php-session-chat') },
              ],
              onChange: (value) => setAttributes({ theme: value }),
            }),
          ),
        ),
        createElement(Placeholder, {
          icon: 'format-chat',
          label: __('Chat', 'php-session-chat'),
          instructions: __('Logged-in members see the chat here.', 'php-session-chat'),
        }),
      );
    },
    save: () => null,
  });
})(window.wp);
