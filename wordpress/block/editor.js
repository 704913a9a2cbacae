(({ blockEditor, blocks, components, element: { createElement } }, texts) => {
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
            { title: texts.settings },
            createElement(TextControl, {
              label: texts.room,
              help: texts.roomHelp,
              value: room,
              onChange: (value) => setAttributes({ room: value }),
            }),
            createElement(SelectControl, {
              label: texts.theme,
              value: theme,
              options: [
                { value: '', label: texts.asPage },
                { value: 'light', label: texts.light },
                { value: 'dark', label: texts.dark },
              ],
              onChange: (value) => setAttributes({ theme: value }),
            }),
          ),
        ),
        createElement(Placeholder, {
          icon: 'format-chat',
          label: texts.chat,
          instructions: texts.members,
        }),
      );
    },
    save: () => null,
  });
})(window.wp, window.phpSessionChatBlock);
