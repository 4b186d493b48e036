#!/usr/bin/env node
'use strict';
// Runs on the caller's own Node, however old: so plain ES5 and no packages. It finds the Node 24 that the installation brought.
var fs = require('fs');
var path = require('path');
var spawn = require('child_process').spawn;

var root = path.resolve(__dirname, '..');
var modules = path.join(root, 'node_modules');
var windows = process.platform === 'win32';
var packaged = path.join(modules, 'node-' + (windows ? 'win' : process.platform) + '-' + process.arch, 'bin', windows ? 'node.exe' : 'node');
var recent = Number(process.versions.node.split('.')[0]) >= 24;

if (!fs.existsSync(path.join(modules, 'commander'))) {
  process.stderr.write('earshot: nothing is installed yet: run `npm start` once in ' + root + '\n');
  process.exit(1);
}
if (!fs.existsSync(packaged) && !recent) {
  process.stderr.write('earshot: this needs Node 24, and yours is ' + process.version + ': install Node 24 and try again\n');
  process.exit(1);
}

var node = fs.existsSync(packaged) ? packaged : process.execPath;
var child = spawn(node, [path.join(__dirname, 'main.ts')].concat(process.argv.slice(2)), { stdio: 'inherit' });
// A terminal sends these to the child as well; whoever sends them by hand means the child.
['SIGINT', 'SIGTERM', 'SIGHUP'].forEach(function (signal) {
  process.on(signal, function () { child.kill(signal); });
});
child.on('error', function (error) {
  process.stderr.write('earshot: ' + error.message + '\n');
  process.exit(1);
});
child.on('exit', function (code, signal) {
  process.exit(code === null ? (signal === 'SIGINT' ? 130 : 1) : code);
});
