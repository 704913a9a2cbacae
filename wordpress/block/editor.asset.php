<?php

defined('ABSPATH') || exit;

return [
    'dependencies' => ['wp-block-editor', 'wp-blocks', 'wp-components', 'wp-element'],
    'version' => PhpSessionChat\WordPress\VERSION,
];
