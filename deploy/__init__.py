"""From trained weights to an answer on a server: conversion, parity, bundle, verification, measuring."""
