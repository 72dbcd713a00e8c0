@echo off
rem check.cmd FILE...
chcp 65001 >nul
set PYTHONUTF8=1
py -3.11 -P "%~dp0program\start.py" %*
if errorlevel 9009 python -P "%~dp0program\start.py" %*
