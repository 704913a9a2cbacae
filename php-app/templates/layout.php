<?php

declare(strict_types=1);

?>
<!doctype html>
<html lang="<?= $e($language) ?>">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<title><?= $title ?></title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/site.css">
<?php if (isset($user)) : ?>
<script type="module" src="<?= $e($chat) ?>/php-chat.js"></script>
<script type="module" src="/header.js"></script>
<?php endif ?>
<?= $head ?>
</head>
<body class="<?= $class ?>">
<?php if (isset($user)) {
    require __DIR__ . '/header.php';
} ?>
<?= $content ?>
<?php if (isset($user) && $launcher) : ?>
<php-chat-launcher server="<?= $e($chat) ?>" login-url="/" here<?= $about === null ? '' : ' data-about="' . $e($about) . '"' ?>></php-chat-launcher>
<?php endif ?>
</body>
</html>
