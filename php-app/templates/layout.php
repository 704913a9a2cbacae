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
<?= $head ?>
</head>
<body class="<?= $class ?>">
<?= $content ?>
</body>
</html>
