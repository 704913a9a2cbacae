<!doctype html>
<title>Talk</title>
<x-php-chat/>
